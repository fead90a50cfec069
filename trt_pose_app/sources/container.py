"""Is a video file shorter than its own structure says? Decoders end early there without an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def cut_short(path: Path) -> bool:
    """Return whether an MP4, MOV, Matroska or WebM file ends before its last part does.

    Other containers carry no total size; their last packet shows the cut. Raises OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if head[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _boxes_end(file) > size
        if head[:4] == _EBML:
            return _segment_end(file) > size
    return False


def _boxes_end(file: BinaryIO) -> int:
    """Return where the last box of an ISO base media file ends (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while True:
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            return position + (len(header) and 8)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0: it reaches to the end of the file, however long; 2..7 is no box
            return position
        position += length


def _segment_end(file: BinaryIO) -> int:
    """Return where a Matroska segment ends (RFC 8794), or 0 where the writer left it open, as live recorders do."""
    file.seek(4)
    file.seek(_read_size(file) or 0, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    length = _read_size(file)
    return 0 if length is None else file.tell() + length


def _read_size(file: BinaryIO) -> int | None:
    """Return a variable-length size, None for the value that means unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    n_bytes = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(n_bytes - 1), "big")
    mask = (1 << 7 * n_bytes) - 1
    return None if value & mask == mask else value & mask
