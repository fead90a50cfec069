"""Files that ``torch.save`` wrote, of both formats, read without torch and without running anything in them."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from converters.pickle_reader import Storage, StoredTensor, UnsafePickleError, read_pickle
from trt_pose_app.errors import ModelSpecError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_ITEM_BYTES = {"bfloat16": 2}
_HINT = "fetch or export the file again"


@dataclass(frozen=True)
class TorchFile:
    """``content`` is what was saved, tensors as ``StoredTensor``; ``arrays`` reads them."""

    path: Path
    content: Any
    # Storage key -> where its bytes lie: a member of the zip, or an offset in a legacy file.
    _places: Mapping[str, str | int] = field(repr=False)

    def arrays(self, tensors: Mapping[str, StoredTensor]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the name and the values of each of ``tensors``, one by one; bfloat16 as float32.

        Raises ModelSpecError if they are damaged.
        """
        try:
            with self.path.open("rb") as file, ExitStack() as stack:
                archive = stack.enter_context(zipfile.ZipFile(file)) if zipfile.is_zipfile(file) else None
                for name, tensor in tensors.items():
                    place = self._places[tensor.storage.key]
                    if archive is None or isinstance(place, int):
                        file.seek(int(place))
                        data = file.read(tensor.storage.size * _item_bytes(tensor.dtype))
                    else:
                        data = archive.read(place)
                    yield name, _view(_values(data, tensor.dtype), tensor)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise ModelSpecError(f"{self.path} is damaged: {error}", hint=_HINT) from error


def read_torch_file(path: Path) -> TorchFile:
    """Return the content of a ``.pth`` or ``.pt`` file. Tensors are not read yet, but they are known to be there.

    Raises UnsafePickleError for a file that would run something, ModelSpecError for one that is damaged or cut short.
    """
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                return _read_zip(path, file)
            file.seek(0)
            return _read_legacy(path, file)
    except UnsafePickleError as error:
        raise UnsafePickleError(error.name, str(path)) from error
    except OSError as error:
        raise ModelSpecError(f"cannot read {path}: {error.strerror}", hint="check the path and its rights") from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        raise ModelSpecError(f"{path} is damaged or cut short: {error}", hint=_HINT) from error


def _read_zip(path: Path, file: BinaryIO) -> TorchFile:
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        # torch compresses nothing. So no member can be larger than the file, and no archive can be a bomb.
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise ValueError("a member is compressed, which torch never does")
        if sum(member.file_size for member in members.values()) > path.stat().st_size:
            raise ValueError("its members claim to be larger than the file")
        pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl, which every zip of torch has")
        folder = pickles[0].removesuffix("data.pkl")
        if (order := members.get(f"{folder}byteorder")) is not None and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        content = read_pickle(io.BytesIO(archive.read(pickles[0])))
    places: dict[str, str | int] = {}
    for storage in _storages(content):
        name = f"{folder}data/{storage.key}"
        if name not in members or members[name].file_size < storage.size * _item_bytes(storage.dtype):
            raise ValueError(f"the tensor data {storage.key!r} is missing or too short")
        places[storage.key] = name
    return TorchFile(path, content, places)


def _read_legacy(path: Path, file: BinaryIO) -> TorchFile:
    first = read_pickle(file)
    if first != _LEGACY_MAGIC:
        return TorchFile(path, first, {})  # a plain pickle, as handmade files are
    if read_pickle(file) != 1001:  # the protocol
        raise ValueError("it is of an unknown version of torch's format")
    system = read_pickle(file)
    if not isinstance(system, dict) or not system.get("little_endian", False) or sys.byteorder != "little":
        raise ValueError("its numbers are big-endian")
    content, keys = read_pickle(file), read_pickle(file)
    storages = {storage.key: storage for storage in _storages(content)}
    end = path.stat().st_size
    places: dict[str, str | int] = {}
    for key in keys:
        header = file.read(8)
        if len(header) < 8 or key not in storages:
            raise ValueError(f"the tensor data {key!r} is missing")
        size = int.from_bytes(header, "little", signed=True)
        storage = storages[key]
        if size < storage.size:
            raise ValueError(f"the tensor data {key!r} is too short")
        places[key] = file.tell()
        behind = file.tell() + size * _item_bytes(storage.dtype)
        if behind > end:
            raise ValueError(f"{behind - end} bytes of tensor data are missing")
        file.seek(behind)
    if missing := storages.keys() - places.keys():
        raise ValueError(f"the tensor data {min(missing)!r} is missing")
    return TorchFile(path, content, places)


def _storages(content: Any) -> list[Storage]:
    """Return the storages of all tensors, each once. Raises ValueError where two disagree about one."""
    found: dict[str, Storage] = {}
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, StoredTensor):
            if found.setdefault(value.storage.key, value.storage) != value.storage:
                raise ValueError(f"two tensors disagree about the data {value.storage.key!r}")
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return list(found.values())


def _item_bytes(dtype: str) -> int:
    return _ITEM_BYTES.get(dtype) or np.dtype(dtype).itemsize


def _values(data: bytes, dtype: str) -> NDArray[Any]:
    if dtype != "bfloat16":
        return np.frombuffer(data, np.dtype(dtype))
    # A bfloat16 is the upper half of a float32.
    return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)


def _view(flat: NDArray[Any], tensor: StoredTensor) -> NDArray[Any]:
    steps = tuple(step * flat.itemsize for step in tensor.stride)
    return np.array(np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, steps))
