"""Credentials masked in texts that people or files will see."""

from __future__ import annotations

import re
from typing import Any

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(\S+)")
_PARAMETER = re.compile(r"(?i)\b((?:[a-z]+_)?(?:password|passwd|pwd|pass|token|secret|api_?key))=[^&\s]+")


def mask_credentials(text: str) -> str:
    """Return ``text`` with the user part of every URL, and every password=..., replaced by ``***``.

    A password may itself hold ``/`` or ``@``, so where it is unclear where one ends, too much is masked.
    """
    return _PARAMETER.sub(r"\1=***", _URL.sub(_mask, text))


def masked(value: Any) -> Any:
    """Return ``value`` with the credentials in every text inside it masked.

    Each text is taken for one URI, so that a password with a blank in it is masked whole.
    """
    if isinstance(value, str):
        return mask_credentials(re.sub(r"\s", "%20", value) if "://" in value else value)
    if isinstance(value, dict):
        return {masked(key): masked(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner) for inner in value]
    return value


def _mask(match: re.Match[str]) -> str:
    scheme, rest = match.groups()
    _, at, place = rest.rpartition("@")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not at or ("@" not in host and ":" not in host):
        return match[0]
    return f"{scheme}***@{place}"
