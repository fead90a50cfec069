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


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return sha256_of_stream(file)
