from __future__ import annotations

import contextlib
import time
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.onnx_metadata import read_metadata


def _model(metadata: dict[str, str]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [value])
    graph.output[0].name = "y"
    model = helper.make_model(graph, producer_name="test")
    helper.set_model_props(model, metadata)
    return model


@pytest.mark.parametrize("metadata", [{}, {"a": "b"}, {"": ""}, {"trt_pose_spec": '{"ü": 1}', "long": "x" * 100_000}])
def test_what_onnx_writes_is_read(tmp_path: Path, metadata: dict[str, str]) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(_model(metadata), path)
    assert read_metadata(path) == metadata


def test_the_weights_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    size = 1 << 40
    with path.open("wb") as file:  # a graph of one tebibyte, sparse on the disk
        file.write(b"\x3a\x80\x80\x80\x80\x80\x20")
        file.seek(size, 1)
        file.write(b"\x72\x06\x0a\x01k\x12\x01v")
    started = time.monotonic()
    assert read_metadata(path) == {"k": "v"}
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x3a\x7f" + b"short", "cut short"),
        (b"\x72\x06\x0a\x01k\x12\x09v", "a metadata entry is cut short"),
        (b"\x08", "cut short"),
        (b"\x09\x00", "cut short"),
        (b"\x00\x00", "number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x08" + b"\xff" * 11, "ten bytes"),
        (b"\x72\x04\x0a\x02\xff\xfe", "utf-8"),
        (b"\x08\x01" * 70_000, "too many fields"),
        (b"\x72\x80\x80\x80\x01" + bytes(1 << 21), "a metadata entry has 2097152 bytes"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelSpecError, match=f"not an intact ONNX file.*{reason}") as caught:
        read_metadata(path)
    assert caught.value.hint


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match="No such file"):
        read_metadata(tmp_path / "none.onnx")


@given(st.binary(max_size=200))
def test_any_bytes_end_in_metadata_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    path.write_bytes(content)
    with contextlib.suppress(ModelSpecError):
        assert isinstance(read_metadata(path), dict)


@given(st.integers(0, 10_000))
def test_a_cut_model_is_cut_short_or_lacks_its_end(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    whole = _model({"k": "v" * 50}).SerializeToString()
    path = tmp_path_factory.getbasetemp() / "cut.onnx"
    path.write_bytes(whole[: cut % len(whole)])
    with contextlib.suppress(ModelSpecError):
        assert read_metadata(path) in ({}, {"k": "v" * 50})
