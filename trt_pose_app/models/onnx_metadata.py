"""The key-value metadata of an ONNX file, read without the onnx package and without reading the weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from trt_pose_app.errors import ModelSpecError

# ModelProto.metadata_props and the two strings of a StringStringEntryProto, in onnx.proto3.
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf wire types
_MAX_ENTRY_BYTES = 1 << 20
_MAX_FIELDS = 1 << 16


def read_metadata(path: Path) -> dict[str, str]:
    """Return the ``metadata_props`` of an ONNX file.

    Only the headers of the outermost fields are read; the graph is skipped with a seek, so a large network costs no
    more than a small one. Raises ModelSpecError for a file that is no ONNX, is cut short, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _scan(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise ModelSpecError(f"cannot read {path}: {error.strerror}", hint="check the path and its rights") from error
    except ValueError as error:
        raise ModelSpecError(
            f"{path} is not an intact ONNX file: {error}", hint="fetch or export the network again"
        ) from error


def _scan(file: BinaryIO, size: int) -> dict[str, str]:
    """Return the metadata in ``file``. Raises ValueError where the bytes are no ModelProto."""
    found: dict[str, str] = {}
    for _ in range(_MAX_FIELDS):
        if file.tell() == size:
            return found
        field, wire = _tag(file)
        if wire == _BYTES:
            length = _varint(file)
            if length > size - file.tell():
                raise ValueError("it is cut short")
            if field == _METADATA_PROPS:
                if length > _MAX_ENTRY_BYTES:
                    raise ValueError(f"a metadata entry has {length} bytes")
                key, value = _entry(file, file.tell() + length)
                found[key] = value
            else:
                file.seek(length, os.SEEK_CUR)
        else:
            _skip(file, wire)
            if file.tell() > size:
                raise ValueError("it is cut short")
    raise ValueError("it has too many fields")


def _entry(file: BinaryIO, end: int) -> tuple[str, str]:
    texts = {_KEY: b"", _VALUE: b""}
    while file.tell() < end:
        field, wire = _tag(file)
        if wire != _BYTES:
            _skip(file, wire)
            continue
        length = _varint(file)
        if length > end - file.tell():
            raise ValueError("a metadata entry is cut short")
        texts[field] = file.read(length)
    if file.tell() != end:
        raise ValueError("a metadata entry is damaged")
    return texts[_KEY].decode("utf-8"), texts[_VALUE].decode("utf-8")


def _tag(file: BinaryIO) -> tuple[int, int]:
    field, wire = divmod(_varint(file), 8)
    if field == 0:
        raise ValueError("a field has the number 0")
    return field, wire


def _skip(file: BinaryIO, wire: int) -> None:
    if wire == _VARINT:
        _varint(file)
    elif wire in (_FIXED32, _FIXED64):
        file.seek(4 if wire == _FIXED32 else 8, os.SEEK_CUR)
    else:
        raise ValueError(f"a field has the wire type {wire}")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is cut short")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number has more than ten bytes")
