"""The ONNX Runtime engine on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.networks import write_affine_network
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import DependencyError, EngineBuildError, EngineError


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_affine_network(tmp_path_factory.mktemp("networks") / "affine.onnx")


def test_it_computes_what_the_network_says(network: Path) -> None:
    with OnnxRuntimeEngine(network, backend="cpu", threads=1) as engine:
        assert engine.backend == "onnxruntime-cpu"
        assert engine.inputs["x"].shape == (-1, 3, -1, -1)
        assert engine.outputs["total"].dtype == "float32"
        for run in range(3):  # the second and later runs use bound buffers
            x = np.full((1, 3, 4, 4), run, np.float32)
            outputs = engine.infer({"x": x})
            assert np.array_equal(outputs["y"], 2 * x + 1)
            assert np.array_equal(outputs["total"], np.full((1, 1, 4, 4), 3 * (2 * run + 1)))


def test_buffers_of_one_shape_are_reused_and_many_shapes_work(network: Path) -> None:
    with OnnxRuntimeEngine(network, backend="cpu", threads=1) as engine:
        x = np.ones((1, 3, 8, 8), np.float32)
        first = engine.infer({"x": x})["y"]
        assert engine.infer({"x": x})["y"] is first
        for side in (*range(1, 12), 3, 11):
            x = np.full((2, 3, side, side), side, np.float32)
            assert np.array_equal(engine.infer({"x": x})["y"], 2 * x + 1)


def test_an_array_of_any_strides_is_read_right(network: Path) -> None:
    with OnnxRuntimeEngine(network, backend="cpu", threads=1) as engine:
        x = np.random.default_rng(0).random((1, 6, 5, 3), np.float32).transpose(0, 3, 1, 2)
        for _ in range(2):
            assert np.allclose(engine.infer({"x": x})["y"], 2 * x + 1)


@pytest.mark.parametrize(
    ("feeds", "complaint"),
    [
        ({}, "wants the inputs"),
        ({"z": np.zeros((1, 3, 4, 4), np.float32)}, "wants the inputs"),
        ({"x": np.zeros((1, 4, 4, 4), np.float32)}, "the network wants"),
        ({"x": np.zeros((3, 4, 4), np.float32)}, "the network wants"),
        ({"x": np.zeros((1, 3, 4, 4), np.float64)}, "the network wants"),
    ],
)
def test_wrong_feeds_are_named(network: Path, feeds, complaint: str) -> None:  # type: ignore[no-untyped-def]
    with OnnxRuntimeEngine(network, backend="cpu", threads=1) as engine, pytest.raises(EngineError, match=complaint):
        engine.infer(feeds)


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(EngineBuildError, match=r"cannot load .*broken\.onnx"):
        OnnxRuntimeEngine(broken)


@pytest.mark.parametrize("backend", ["cuda", "tensorrt"])
def test_an_absent_provider_is_a_missing_dependency(network: Path, backend) -> None:  # type: ignore[no-untyped-def]
    import onnxruntime

    if any(backend in name.lower() for name in onnxruntime.get_available_providers()):
        pytest.skip(f"this ONNX Runtime has {backend}")
    with pytest.raises(DependencyError, match=f"no {backend} provider"):
        OnnxRuntimeEngine(network, backend=backend)


def test_auto_takes_what_there_is_and_close_is_idempotent(network: Path) -> None:
    engine = OnnxRuntimeEngine(network)
    assert engine.backend.startswith("onnxruntime-")
    engine.close()
    engine.close()
