"""Pickled data read as data: nothing is imported, called or built but containers, numbers, texts and tensor headers.

Python's own unpickler runs whatever function a file names. This reader knows the few names that checkpoints use and
does their work itself; a file that names any other function is refused. So it needs neither torch nor torch2trt.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from trt_pose_app.errors import ModelSpecError

_MAX_OPCODES = 5_000_000  # a checkpoint has some fifty for each tensor
# Packages whose classes stand in a model that was pickled whole, code and all.
_MODEL_CODE = ("torch", "torchvision", "ultralytics", "models", "mmpose", "mmdet", "timm", "trt_pose", "__main__")

# The dtype that torch's storage classes stand for, as numpy calls it; bfloat16 is none of numpy's.
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the numbers of a tensor lie: the container's ``key``, how many, and numpy's name of their type."""

    key: str
    size: int
    dtype: str


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that has not been read: ``shape`` and ``stride`` count elements, from ``offset`` in its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> str:
        return self.storage.dtype


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names; it is never imported."""

    text: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """An object of no use here, such as a training log of mmengine. Its content is dropped."""

    text: str


class UnsafePickleError(ModelSpecError):
    """The file asks for a function that no checkpoint needs. ``name`` is what it asks for."""

    def __init__(self, name: str, where: str = "the file") -> None:
        if name.partition(".")[0] in _MODEL_CODE:
            told = f"holds a whole pickled model ({name}), which can only be loaded by running code of it"
        else:
            told = f"asks to run {name} when it is loaded"
        super().__init__(
            f"{where} {told}: refused, and nothing was run",
            hint="a checkpoint holds tensors only: save network.state_dict(), or get the file from its publisher",
        )
        self.name = name


class DamagedPickleError(ValueError):
    """The bytes are no pickle, or one cut short."""


def read_pickle(file: BinaryIO) -> Any:
    """Return the object pickled at ``file``'s position and leave the position behind it.

    Dicts, lists, tuples, texts, bytes and numbers come out as they are, tensors as ``StoredTensor``, harmless foreign
    objects as ``Skipped``. Raises UnsafePickleError, and DamagedPickleError for bytes that are no intact pickle.
    """
    try:
        return _Machine().run(file)
    except UnsafePickleError:
        raise
    # What a damaged pickle makes of a stack machine: too few values, no such memo, a value of another kind.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError, OverflowError) as error:
        raise DamagedPickleError(str(error)) from error


class _Mark:
    pass


_MARK = _Mark()


class _Machine:
    """The stack machine of the pickle format, over protocols 0 to 5."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count > _MAX_OPCODES:
                raise ValueError("it has too many steps")
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name in _VALUES:
                self.stack.append(argument)
            elif name not in ("PROTO", "FRAME"):
                self._step(name, argument)
        raise ValueError("it has no end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[argument])
        elif name in ("SETITEM", "SETITEMS"):
            values = self._pop_to_mark() if name == "SETITEMS" else self._pop(2)
            self._set_items(stack[-1], values)
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            values = [stack.pop()] if name == "APPEND" else self._pop_to_mark()
            if isinstance(stack[-1], list):
                stack[-1].extend(values)
            elif not isinstance(stack[-1], Skipped):
                raise TypeError("something that is no list is appended to")
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(tuple(self._pop(int(name[-1]))))
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            values = self._pop_to_mark()
            stack.append(tuple(values) if name == "TUPLE" else values)
        elif name == "DICT":
            made: dict[Any, Any] = {}
            self._set_items(made, self._pop_to_mark())
            stack.append(made)
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            stack.append(_allowed(f"{module}.{attribute}"))
        elif name == "STACK_GLOBAL":
            module, attribute = self._pop(2)
            stack.append(_allowed(f"{module}.{attribute}"))
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = self._pop(2)
            stack.append(_call(function, arguments))
        elif name == "NEWOBJ_EX":
            function, arguments, _ = self._pop(3)
            stack.append(_call(function, arguments))
        elif name == "BUILD":
            stack.pop()  # attributes, such as the version numbers that torch keeps beside a state dict
        elif name in ("BINPERSID", "PERSID"):
            stack.append(_storage(stack.pop() if name == "BINPERSID" else argument))
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._pop_to_mark()
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            raise ValueError(f"it uses the instruction {name}, which no checkpoint does")

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("it takes more values than it gave")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def _pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _set_items(self, target: Any, values: list[Any]) -> None:
        if isinstance(target, Skipped):
            return
        if not isinstance(target, dict) or len(values) % 2:
            raise TypeError("something that is no dict is given items")
        for key, value in zip(values[::2], values[1::2]):
            # A tuple of tuples that share their members takes for ever to hash.
            if isinstance(key, (str, int, float, bytes, bool, type(None))):
                target[key] = value


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": list, "MARK": lambda: _MARK,
}  # fmt: skip
# Instructions whose argument is the value.
_VALUES = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE", "BINBYTES", "BINBYTES8",
    "SHORT_BINBYTES", "BYTEARRAY8",
})  # fmt: skip


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    numbers = (offset, *shape, *stride)
    if not isinstance(storage, Storage) or len(shape) != len(stride) or not all(type(n) is int for n in numbers):
        raise TypeError("a tensor's header is damaged")
    n_elements, last = 1, offset
    for length, step in zip(shape, stride):
        n_elements *= length
        last += (length - 1) * step
    if min(numbers) < 0 or (n_elements and last >= storage.size) or n_elements > storage.size:
        raise ValueError("a tensor reaches beyond its storage")
    return StoredTensor(storage, offset, tuple(shape), tuple(stride))


def _storage(persistent_id: Any) -> Storage:
    kind, storage_class, key, _, size = persistent_id[:5]
    dtype = _STORAGES.get(storage_class.text.rpartition(".")[2])
    if kind != "storage" or dtype is None or not isinstance(key, str) or type(size) is not int or size < 0:
        raise ValueError("a tensor's storage is damaged or of an unknown type")
    return Storage(key, size, dtype)


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    if encoding.lower() not in ("latin1", "latin-1"):
        raise ValueError(f"bytes are written as {encoding}")
    return text.encode("latin-1")


def _bytes(value: Any = b"", encoding: str = "latin-1") -> bytes:
    if not isinstance(value, (str, bytes, bytearray)):  # a number would ask for that many zeros
        raise TypeError("bytes are made of something else")
    return _encode(value, encoding) if isinstance(value, str) else bytes(value)


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    return {key: value for key, value in pairs if isinstance(key, (str, int))}


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "collections.defaultdict": lambda *_: {},
    "_codecs.encode": _encode,
    "builtins.bytearray": _bytes,
    "builtins.bytes": _bytes,
    "builtins.set": list,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
}
# Named by checkpoints, dropped here: the run's log, its numpy numbers, a device.
_HARMLESS = frozenset(
    {
        "mmengine.logging.history_buffer.HistoryBuffer",
        "mmengine.logging.message_hub.MessageHub",
        "mmengine.config.config.ConfigDict",
        "numpy.ndarray",
        "numpy.dtype",
        "torch.device",
        "datetime.datetime",
        "pathlib.PosixPath",
        *(f"{core}.multiarray.{name}" for core in ("numpy.core", "numpy._core") for name in ("_reconstruct", "scalar")),
        *(f"numpy.{name}" for name in ("float32", "float64", "int32", "int64", "bool_")),
        *(f"numpy.dtypes.{name}DType" for name in ("Float32", "Float64", "Int32", "Int64", "Bool")),
        *(f"torch.{name}" for name in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8")),
    }
)


def _allowed(name: str) -> Name:
    name = name.replace("__builtin__.", "builtins.", 1) if name.startswith("__builtin__.") else name
    module, _, attribute = name.rpartition(".")
    if name in _CALLS or name in _HARMLESS or (module in ("torch", "torch.storage") and attribute in _STORAGES):
        return Name(name)
    raise UnsafePickleError(name)


def _call(function: Any, arguments: Any) -> Any:
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise TypeError("something is called that is no function")
    call = _CALLS.get(function.text)
    return Skipped(function.text) if call is None else call(*arguments)
