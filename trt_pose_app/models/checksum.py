"""SHA-256 of files, remembered while a file stays as it is."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; read again only after its size or time of change differ.

    Raises OSError.
    """
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


def sha256_of_stream(file: BinaryIO) -> str:
    """Return the SHA-256, in hex, of everything from the stream's position to its end."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def record_sha256(path: Path, sha256: str) -> None:
    """Write the file's SHA-256 beside it, as ``sha256sum -c`` reads it. Raises OSError."""
    _record_path(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def recorded_sha256(path: Path) -> str | None:
    """Return the SHA-256 that was recorded beside the file, or None."""
    try:
        words = _record_path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return None
    return words[0] if words and len(words[0]) == 64 else None


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return sha256_of_stream(file)
