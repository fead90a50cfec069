"""Triton model repositories, read back with the protobuf definitions of Triton's own client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converters.triton_repository import (
    SPEC_PARAMETER,
    TritonOptions,
    triton_config,
    write_repository,
    write_triton_repository,
)
from tests.networks import write_affine_network, write_scripted_pose_network
from trt_pose_app.engines.cache import EngineRecord
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.models.bundle import Bundle, read_bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.types import TensorSpec

model_config_pb2 = pytest.importorskip("tritonclient.grpc.model_config_pb2")
text_format = pytest.importorskip("google.protobuf.text_format")

SPEC = ModelSpec.model_validate(
    {
        "name": "affine",
        "kind": "heatmap",
        "skeleton": {"name": "dot", "parts": ("dot",)},
        "input": {"name": "x", "width": 16, "height": 8, "colour": "rgb"},
        "outputs": {"heatmap": "y"},
        "heatmap": {},
        "origin": {"licence": "none", "note": 'a "quoted" note\nof two lines \\ ä'},
    }
)


def parsed(text: str) -> Any:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.fixture
def affine(tmp_path: Path) -> Bundle:
    return Bundle(SPEC, write_affine_network(tmp_path / "affine.onnx"))


def engine(folder: Path, batch: tuple[int, int, int], shape: tuple[int, ...] = (-1, 3, -1, -1)) -> Bundle:
    path = folder / "affine.engine"
    path.write_bytes(b"an engine")
    profile = {"x": tuple((n, 3, 8, 16) for n in batch)}
    tensors = (TensorSpec("x", shape, "float32"),), (TensorSpec("y", shape, "float16"),)
    EngineRecord("10.3.0", "Orin", "8.7", "a.onnx", "", profile, {}, *tensors, "").write(path)  # type: ignore[arg-type]
    return Bundle(SPEC, path)


def test_a_repository_is_complete(affine: Bundle, tmp_path: Path) -> None:
    written = write_triton_repository(affine, tmp_path / "repository")
    assert written == tmp_path / "repository" / "affine"
    files = sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file())
    assert files == ["1/model.onnx", "1/model.toml", "config.pbtxt"]
    config = parsed((written / "config.pbtxt").read_text())
    assert (config.name, config.platform, config.max_batch_size) == ("affine", "onnxruntime_onnx", 8)
    (image,) = config.input
    assert (image.name, image.data_type, list(image.dims)) == ("x", model_config_pb2.TYPE_FP32, [3, -1, -1])
    assert {output.name: list(output.dims) for output in config.output} == {"y": [3, -1, -1], "total": [1, -1, -1]}
    (group,) = config.instance_group
    assert (group.count, group.kind) == (1, model_config_pb2.ModelInstanceGroup.KIND_GPU)
    assert [list(w.inputs["x"].dims) for w in config.model_warmup] == [[3, 8, 16]] * 2
    assert [w.batch_size for w in config.model_warmup] == [1, 8]
    # A client has everything it needs from the server: the spec comes with the configuration.
    assert ModelSpec.from_json(config.parameters[SPEC_PARAMETER].string_value, "triton") == SPEC
    x = np.ones((1, 3, 8, 16), np.float32)
    again = read_bundle(written / "1" / "model.onnx")
    assert again.spec == SPEC
    with OnnxRuntimeEngine(again.path, threads=1) as network:
        assert (network.infer({"x": x})["y"] == 3).all()


@pytest.mark.parametrize(
    ("options", "kind", "count"),
    [(TritonOptions(device="cpu", instances=3), "KIND_CPU", 3), (TritonOptions(), "KIND_GPU", 1)],
)
def test_where_and_how_often_it_runs(affine: Bundle, options: TritonOptions, kind: str, count: int) -> None:
    (group,) = parsed(triton_config(affine, options).text()).instance_group
    assert (group.kind, group.count) == (model_config_pb2.ModelInstanceGroup.Kind.Value(kind), count)


def test_batching_has_no_queue_policy_and_prefers_nothing(affine: Bundle) -> None:
    config = parsed(triton_config(affine, TritonOptions()).text())
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.ByteSize() == 0
    assert not parsed(triton_config(affine, TritonOptions(max_batch=1)).text()).HasField("dynamic_batching")


@pytest.mark.parametrize(
    ("batch", "max_batch", "preferred"),
    [((1, 4, 8), 8, [4]), ((1, 1, 4), 4, []), ((1, 8, 16), 8, [8]), ((1, 16, 16), 8, []), ((1, 1, 1), 1, [])],
)
def test_an_engine_is_batched_as_its_profile_allows(
    tmp_path: Path, batch: tuple[int, int, int], max_batch: int, preferred: list[int]
) -> None:
    written = write_triton_repository(engine(tmp_path, batch), tmp_path / "repository")
    config = parsed((written / "config.pbtxt").read_text())
    assert (config.platform, config.max_batch_size) == ("tensorrt_plan", max_batch)
    assert list(config.dynamic_batching.preferred_batch_size) == preferred
    assert config.output[0].data_type == model_config_pb2.TYPE_FP16
    assert (written / "1" / "model.plan").read_bytes() == b"an engine"
    assert max(w.batch_size for w in config.model_warmup) == max_batch


def test_a_network_of_fixed_batch_keeps_it_in_its_shapes(tmp_path: Path) -> None:
    bundle = read_bundle(write_scripted_pose_network(tmp_path))
    config = parsed(triton_config(bundle, TritonOptions()).text())
    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert list(config.input[0].dims) == [1, 3, -1, -1]
    (warm_up,) = config.model_warmup
    assert (warm_up.batch_size, list(warm_up.inputs["image"].dims)) == (1, [1, 3, 128, 128])
    for output in config.output:
        assert output.dims[0] == 1


def test_writing_again_replaces_and_leaves_nothing_behind(affine: Bundle, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    written = write_triton_repository(affine, repository)
    (written / "1" / "left-over").write_text("")
    write_triton_repository(affine, repository, TritonOptions(max_batch=4))
    assert parsed((written / "config.pbtxt").read_text()).max_batch_size == 4
    assert [path.name for path in repository.iterdir()] == ["affine"]
    assert not (written / "1" / "left-over").exists()


def test_a_network_in_memory_is_named_by_its_folder(affine: Bundle, tmp_path: Path) -> None:
    files = write_repository(onnx.load(affine.path), SPEC, tmp_path / "repository" / "other")
    folder = tmp_path / "repository" / "other"
    assert files == (folder / "1/model.onnx", folder / "1/model.toml", folder / "config.pbtxt")
    assert parsed(files[2].read_text()).name == read_bundle(files[0]).spec.name == "other"


def test_what_cannot_be_served_is_said(affine: Bundle, tmp_path: Path) -> None:
    made = engine(tmp_path, (1, 1, 1))
    with pytest.raises(ConfigError, match="runs on a GPU only"):
        triton_config(made, TritonOptions(device="cpu"))
    (tmp_path / "affine.engine.json").unlink()
    with pytest.raises(ModelSpecError, match="nothing says what shapes"):
        triton_config(made, TritonOptions())
    with pytest.raises(ConfigError, match="start at 1"):
        TritonOptions(max_batch=0)
    other = SPEC.model_copy(update={"input": SPEC.input.model_copy(update={"name": "image"})})
    with pytest.raises(ModelSpecError, match="its spec says image"):
        triton_config(replace(affine, spec=other), TritonOptions())
    model = onnx.load(affine.path)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, affine.path)
    with pytest.raises(ModelSpecError, match="shape of 'y'"):
        triton_config(affine, TritonOptions())


def test_a_folder_that_cannot_be_written(affine: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_triton_repository(affine, tmp_path / "file")
