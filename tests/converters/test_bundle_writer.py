"""A written bundle is complete, consistent and found by name; a failed one leaves nothing."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

pytest.importorskip("onnxruntime")

from converters.bundle_writer import write_bundle, write_network
from tests.converters.networks import small_model, small_spec
from trt_pose_app.errors import ConfigError
from trt_pose_app.models import store
from trt_pose_app.models.bundle import read_bundle


def test_it_is_found_by_name_and_verifies(tmp_path: Path) -> None:
    written = write_bundle(small_model(), small_spec(), tmp_path / "models/small.onnx")
    found = store.find("small", search=[tmp_path / "models"])
    found.verify()
    assert found.spec == written.spec
    assert found.spec.origin.sha256 == found.sha256
    assert sorted(file.name for file in (tmp_path / "models").iterdir()) == ["small.onnx", "small.toml"]


def test_a_lone_file_is_complete(tmp_path: Path) -> None:
    spec = small_spec(skeleton={"name": "own", "parts": [f"p{i}" for i in range(18)], "limbs": [[0, 1]] * 21})
    path = write_bundle(small_model(), spec, tmp_path / "small.onnx").path
    path.with_suffix(".toml").unlink()
    assert read_bundle(path).spec == spec


def test_other_metadata_stays_and_the_model_is_not_changed(tmp_path: Path) -> None:
    model = small_model()
    onnx.helper.set_model_props(model, {"author": "somebody"})
    path = write_bundle(model, small_spec(), tmp_path / "small.onnx").path
    assert {p.key for p in onnx.load(path).metadata_props} == {"author", "trt_pose_spec"}
    assert [p.key for p in model.metadata_props] == ["author"]


def test_writing_again_replaces_both_files(tmp_path: Path) -> None:
    target = tmp_path / "small.onnx"
    first = write_bundle(small_model(), small_spec(), target).spec
    second = write_bundle(small_model(noise=0.1), small_spec(version="2"), target)
    second.verify()
    assert read_bundle(target).spec == second.spec != first


def test_a_folder_that_is_none_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        write_bundle(small_model(), small_spec(), tmp_path / "file/small.onnx")
    (tmp_path / "small.engine").mkdir()  # so that the last step fails, with everything written
    with pytest.raises(ConfigError):
        write_network(b"plan", small_spec(), tmp_path / "small.engine")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "small.engine"]


def test_the_name_must_be_that_of_a_network(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.onnx"):
        write_bundle(small_model(), small_spec(), tmp_path / "small.bin")
