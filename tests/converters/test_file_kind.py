"""file_kind: what a wrong file looks like."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from converters.file_kind import ONNX, PICKLE, SDK_ZIP, TORCH, file_kind
from tests.converters.pickles import dumped, write_torch_zip
from tests.networks import write_affine_network
from trt_pose_app.errors import ModelSpecError

SAFETENSORS = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 85164128\n", "a git-lfs pointer to a file"),
        (b"\n<!DOCTYPE html><html><body>Not found", "an HTML page: a download that failed"),
        (b"ftrt\x00\x00\x00\x00", "a TensorRT engine"),
        (b"ptrt\x00\x00\x00\x00", "a TensorRT engine"),
        (len(SAFETENSORS).to_bytes(8, "little") + SAFETENSORS + bytes(4), "a safetensors file"),
        (b"\x89HDF\r\n\x1a\n", "Keras"),
        (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b'<?xml version="1.0"?><net name="x">', "OpenVINO"),
        (b'{"keypoints": ["nose"], "skeleton": []}', "trt_pose task file"),
        (b'{"images": []}', "a JSON file"),
        (b"{ not json", "a text file"),
        (dumped({}), PICKLE),
        (b"\x08\x07 something else", "nothing known here"),
        (bytes(2000), "nothing known here"),
    ],
)
def test_first_bytes(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    assert kind in file_kind(path)


def test_archives(tmp_path: Path) -> None:
    assert file_kind(write_torch_zip(tmp_path / "a.pth", dumped({}))) == TORCH
    assert "TorchScript" in file_kind(write_torch_zip(tmp_path / "b.pth", dumped({}), members={"constants.pkl": b""}))
    np.savez(tmp_path / "c.npz", w=np.zeros(3))
    assert "numpy" in file_kind(tmp_path / "c.npz")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("x/end2end.onnx", b"")
    assert file_kind(tmp_path / "d.zip") == SDK_ZIP
    (tmp_path / "e.zip").write_bytes((tmp_path / "d.zip").read_bytes()[:40])
    assert "cut short" in file_kind(tmp_path / "e.zip")


def test_onnx(tmp_path: Path) -> None:
    assert file_kind(write_affine_network(tmp_path / "a.onnx")) == ONNX


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match="cannot read"):
        file_kind(tmp_path)
