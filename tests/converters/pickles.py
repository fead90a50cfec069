"""Pickles written by hand, so that tests need neither torch nor torch2trt, and can hold what neither would write."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def torch2trt_pickle(engine: bytes, names: Mapping[str, list[str]]) -> bytes:
    """What torch pickles for a TRTModule's state dict, in protocol 2: an OrderedDict with a bytearray."""
    text = engine.decode("latin-1").encode()
    encoded = b"c_codecs\nencode\nX" + struct.pack("<I", len(text)) + text + b"X\x06\x00\x00\x00latin1\x86R"
    items = _text("engine") + b"cbuiltins\nbytearray\n" + encoded + b"\x85R"
    for key, values in names.items():
        items += _text(key) + b"](" + b"".join(map(_text, values)) + b"e"
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u}X\x09\x00\x00\x00_metadata}sb."


def write_torch_zip(path: Path, data: bytes, *, members: Mapping[str, bytes] | None = None) -> Path:
    """A zip as torch.save lays it out, around the pickle ``data``."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", b"3\n")
        for name, content in (members or {}).items():
            archive.writestr(f"archive/{name}", content)
    return path


def write_torch_legacy(path: Path, data: bytes) -> Path:
    """The format of torch before 1.6, which OpenMMLab still publishes, around the pickle ``data`` without tensors."""
    system = {"protocol_version": _LEGACY_PROTOCOL, "little_endian": True, "type_sizes": {}}
    head = b"".join(pickle.dumps(value, protocol=2) for value in (_LEGACY_MAGIC, _LEGACY_PROTOCOL, system))
    path.write_bytes(head + data + pickle.dumps([], protocol=2))
    return path


def tensor_pickle(shape: tuple[int, ...], stride: tuple[int, ...], *, offset: int = 0, size: int) -> bytes:
    """A state dict with one float32 tensor ``w``, whose header says what the arguments say, true or not."""
    numbers = lambda values: b"(" + b"".join(map(_number, values)) + b"t"  # noqa: E731
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + _number(size) + b"tQ"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    arguments = b"(" + storage + _number(offset) + numbers(shape) + numbers(stride)
    return b"\x80\x02}" + _text("w") + rebuild + arguments + b"\x89ccollections\nOrderedDict\n)RtRs."


def floats(count: int) -> bytes:
    return np.arange(count, dtype=np.float32).tobytes()


def dumped(value: object, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    pickle.dump(value, file, protocol=protocol)
    return file.getvalue()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)
