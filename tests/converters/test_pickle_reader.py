"""read_pickle: what checkpoints hold comes out as data; what would run something is refused and does not run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.pickle_reader import DamagedPickleError, Skipped, UnsafePickleError, read_pickle
from tests.converters.pickles import dumped, tensor_pickle
from trt_pose_app.errors import ModelSpecError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(VALUES, st.integers(2, 5))
def test_plain_values_come_out_as_they_went_in(value: object, protocol: int) -> None:
    assert read_pickle(io.BytesIO(pickle.dumps(value, protocol=protocol))) == value


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol(protocol: int) -> None:
    value = {"a": [1, 2.5, True, None, -(2**70)], "b": ("text", {"c": ()}), "shared": [[1]] * 2}
    assert read_pickle(io.BytesIO(pickle.dumps(value, protocol=protocol))) == value


def test_what_torch_and_torch2trt_pickle() -> None:
    value = OrderedDict(engine=bytearray(b"\x00\xffplan"), input_names=["input_0"])
    assert read_pickle(io.BytesIO(pickle.dumps(value, protocol=2))) == value
    tensor = read_pickle(io.BytesIO(tensor_pickle((2, 3), (3, 1), size=6)))["w"]
    assert (tensor.shape, tensor.stride, tensor.dtype, tensor.storage.size) == ((2, 3), (3, 1), "float32", 6)


def test_a_training_log_of_numpy_numbers_is_skipped() -> None:
    value = {"kept": 1, "log": [np.float64(2.5), np.arange(3)]}
    read = read_pickle(io.BytesIO(pickle.dumps(value, protocol=2)))
    assert read["kept"] == 1
    assert all(isinstance(entry, Skipped) for entry in read["log"])


def test_the_position_is_left_behind_the_pickle() -> None:
    file = io.BytesIO(pickle.dumps([1]) + pickle.dumps("two") + b"rest")
    assert (read_pickle(file), read_pickle(file), file.read()) == ([1], "two", b"rest")


class _Run:
    """Runs ``function(*arguments)`` when it is unpickled by Python."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._reduced = (function, arguments)

    def __reduce__(self) -> object:
        return self._reduced


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_creates_no_file(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "created"
    data = pickle.dumps({"w": _Run(os.mkdir, str(target))}, protocol=protocol)
    with pytest.raises(UnsafePickleError, match=r"asks to run (posix|nt)\.mkdir .*nothing was run"):
        read_pickle(io.BytesIO(data))
    assert not target.exists()
    pickle.loads(data)
    assert target.exists()  # it would have


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "os system",
        "torch.hub load",
        "numpy load",
        "collections namedtuple",
        "torch.nn.modules.conv Conv2d",
        "_codecs decode",
        "trt_pose_app.errors TrtPoseError",
    ],
)
def test_no_other_name_is_let_through(name: str) -> None:
    module, attribute = name.split()
    with pytest.raises(UnsafePickleError) as caught:
        read_pickle(io.BytesIO(f"c{module}\n{attribute}\n.".encode()))
    assert caught.value.name == f"{module}.{attribute}"
    assert isinstance(caught.value, ModelSpecError)


def test_a_whole_model_is_named_as_such() -> None:
    with pytest.raises(UnsafePickleError, match=r"whole pickled model \(ultralytics.nn.tasks.PoseModel\)"):
        read_pickle(io.BytesIO(b"\x80\x02cultralytics.nn.tasks\nPoseModel\n)\x81."))


def _billion_laughs() -> bytes:
    return b"\x80\x02(K\x01" + b"2\x86" * 100 + b"K\x01d."  # hashing the nested pair would take 2^100 steps


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"not a pickle",
        b"\x80\x02}X\x03\x00\x00\x00abK\x01s.",  # a text longer than the rest
        b"\x80\x02.",  # nothing on the stack
        b"\x80\x02h\x07.",  # no such memo
        b"\x80\x02K\x01K\x02K\x03s.",  # an item into a number
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # eight exabytes
        b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",  # two gigabytes of zeros
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
        b"\x80\x02K\x01K\x02\x86K\x03R.",  # a pair is called
        tensor_pickle((2, 3), (3, 1), size=5),  # beyond its storage
        tensor_pickle((2, 3), (3, 1), offset=1, size=6),
        tensor_pickle((1 << 20, 1 << 20), (0, 0), size=6),  # a terabyte out of one number
        tensor_pickle((-1,), (1,), size=6),
    ],
)
def test_damaged_pickles(data: bytes) -> None:
    with pytest.raises(DamagedPickleError):
        read_pickle(io.BytesIO(data))


def test_a_key_that_takes_for_ever_to_hash_is_dropped() -> None:
    start = time.monotonic()
    read_pickle(io.BytesIO(_billion_laughs()))
    assert time.monotonic() - start < 5


@settings(max_examples=150)
@given(st.data())
def test_ends_for_any_damage(data: st.DataObject) -> None:
    whole = bytearray(dumped({"a": [1, "two", b"three", (4.0, None)], "b": OrderedDict(c=bytearray(b"x"))}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedPickleError, UnsafePickleError):
        read_pickle(io.BytesIO(bytes(whole)))
