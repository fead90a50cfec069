"""Reading COCO's JSON files, and what is wrong with one in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_KINDS: dict[type[Any], str] = {dict: "an object", list: "a list"}


def load_coco_json(path: Path, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
    """Return the content of a file that holds an object (dict) or a list. Raises OSError, ValueError."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, kind):
        raise ValueError(f"it holds {_KINDS.get(type(content), 'a single value')}, not {_KINDS[kind]}")
    return content


def fault_of(error: Exception) -> str:
    """Return a clause about the file that ``error`` came from; a KeyError names a field that something lacks."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON (line {error.lineno}: {error.msg})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    if isinstance(error, KeyError):
        return f'it, or an entry in it, has no "{error.args[0]}"'
    return str(error) if type(error) is ValueError else f"a value in it is of the wrong kind ({error})"
