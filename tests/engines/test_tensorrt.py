"""The TensorRT executor, on stand-ins for TensorRT and the CUDA runtime that have the real interfaces."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cuda_stand_in import StandIn
from tests.networks import write_affine_network
from tests.tensorrt_stand_in import API, VERSIONS, engine_bytes
from trt_pose_app.engines.cache import EngineRecord, record_path
from trt_pose_app.engines.onnxruntime import Backend
from trt_pose_app.engines.open import open_engine
from trt_pose_app.engines.tensorrt import TensorRtEngine
from trt_pose_app.errors import ConfigError, DependencyError, EngineError, EngineStaleError, ModelSpecError
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.checksum import sha256_of
from trt_pose_app.models.spec import ModelSpec

PROFILE = {"x": [[1, 3, 1, 1], [1, 3, 4, 4], [2, 3, 8, 8]]}
SPEC = {
    "name": "affine",
    "kind": "heatmap",
    "skeleton": {"name": "dot", "parts": ("dot",)},
    "input": {"name": "x", "width": 4, "height": 4, "colour": "rgb"},
    "outputs": {"heatmap": "y"},
    "heatmap": {},
    "origin": {"licence": "none"},
}


def write_engine(folder: Path, version: str, **header: object) -> Path:
    network = write_affine_network(folder / "affine.onnx")
    path = folder / "affine.engine"
    path.write_bytes(engine_bytes(network.read_bytes(), version, PROFILE, **header))  # type: ignore[arg-type]
    return path


def record_of(path: Path, version: str) -> EngineRecord:
    source = path.with_suffix(".onnx")
    return EngineRecord(
        version, "Orin", "8.7", source.name, sha256_of(source), {}, {}, (), (), f"trt-pose convert {source} --to engine"
    )


def test_it_computes_what_the_network_says(stand_in: StandIn, tmp_path: Path) -> None:
    before = stand_in.live
    with TensorRtEngine(write_engine(tmp_path, stand_in.tensorrt.__version__), cuda=stand_in.cuda) as engine:
        assert engine.inputs["x"].shape == (-1, 3, -1, -1)
        assert engine.outputs["total"].dtype == "float32"
        for side in (4, 4, 8, 1, 4):  # memory is made anew where the shape changes
            x = np.random.default_rng(side).random((1, 3, side, side), np.float32)
            outputs = engine.infer({"x": x})
            assert np.allclose(outputs["y"], 2 * x + 1)
            assert np.allclose(outputs["total"], (2 * x + 1).sum(axis=1, keepdims=True))
        x = np.random.default_rng(0).random((2, 6, 5, 3), np.float32).transpose(0, 3, 1, 2)
        assert np.allclose(engine.infer({"x": x})["y"], 2 * x + 1)  # any strides
    del outputs, engine
    gc.collect()
    assert stand_in.live == before


def test_results_outlive_the_engine(stand_in: StandIn, tmp_path: Path) -> None:
    engine = TensorRtEngine(write_engine(tmp_path, stand_in.tensorrt.__version__), cuda=stand_in.cuda)
    y = engine.infer({"x": np.ones((1, 3, 4, 4), np.float32)})["y"]
    engine.close()
    engine.close()
    assert (y == 3).all()
    with pytest.raises(EngineError, match="closed"):
        engine.infer({"x": np.ones((1, 3, 4, 4), np.float32)})


@pytest.mark.parametrize(
    ("feeds", "complaint"),
    [
        ({"z": np.zeros((1, 3, 4, 4), np.float32)}, "wants the inputs"),
        ({"x": np.zeros((1, 4, 4, 4), np.float32)}, "the network wants"),
        ({"x": np.zeros((1, 3, 4, 4), np.float64)}, "the network wants"),
        ({"x": np.zeros((3, 3, 4, 4), np.float32)}, r"from \(1, 3, 1, 1\) to \(2, 3, 8, 8\), not \(3, 3, 4, 4\)"),
    ],
)
def test_wrong_feeds_are_named_and_do_no_harm(stand_in: StandIn, tmp_path: Path, feeds, complaint: str) -> None:  # type: ignore[no-untyped-def]
    with TensorRtEngine(write_engine(tmp_path, stand_in.tensorrt.__version__), cuda=stand_in.cuda) as engine:
        with pytest.raises(EngineError, match=complaint):
            engine.infer(feeds)
        assert (engine.infer({"x": np.ones((1, 3, 4, 4), np.float32)})["y"] == 3).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"input": {**SPEC["input"], "name": "image"}}, "its inputs are x, not image"),  # type: ignore[dict-item]
        ({"input": {**SPEC["input"], "dtype": "uint8"}}, "its input is float32, not uint8"),  # type: ignore[dict-item]
        ({"input": {**SPEC["input"], "layout": "nhwc"}}, "its input is"),  # type: ignore[dict-item]
        ({"outputs": {"heatmap": "z"}}, "its outputs are y, total, without z"),
    ],
)
def test_an_engine_of_another_network_than_its_spec_is_refused(  # type: ignore[no-untyped-def]
    stand_in: StandIn, tmp_path: Path, change, complaint: str
) -> None:
    path = write_engine(tmp_path, stand_in.tensorrt.__version__)
    with TensorRtEngine(path, ModelSpec.model_validate(SPEC), cuda=stand_in.cuda) as engine:
        assert engine.backend == "tensorrt"
    with pytest.raises(ModelSpecError, match=complaint):
        TensorRtEngine(path, ModelSpec.model_validate({**SPEC, **change}), cuda=stand_in.cuda)


@pytest.mark.parametrize(
    ("content", "error", "complaint", "hint"),
    [
        ({"version": "7.1"}, EngineStaleError, "another TensorRT than", "trt-pose convert"),
        ({"broken": "plugin"}, EngineError, "plugin that is not loaded: DCNv2", "build one from the ONNX"),
        ({"broken": "memory"}, EngineError, "memory is used up", "close other programs"),
    ],
)
def test_why_an_engine_cannot_be_loaded(  # type: ignore[no-untyped-def]
    stand_in: StandIn, tmp_path: Path, content, error: type[EngineError], complaint: str, hint: str
) -> None:
    path = write_engine(tmp_path, **{"version": stand_in.tensorrt.__version__, **content})
    with pytest.raises(error, match=complaint) as raised:
        TensorRtEngine(path, cuda=stand_in.cuda)
    assert hint in raised.value.hint


def test_a_damaged_engine_file(stand_in: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "damaged.engine"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(EngineError, match="Magic tag does not match"):
        TensorRtEngine(path, cuda=stand_in.cuda)


def test_too_little_memory_is_said_and_nothing_leaks(stand_in: StandIn, tmp_path: Path) -> None:
    with TensorRtEngine(write_engine(tmp_path, stand_in.tensorrt.__version__), cuda=stand_in.cuda) as engine:
        before = stand_in.live
        for missing in range(7168, 0, -1000):  # of two pieces of memory for each of three tensors
            stand_in.limit(before + 7168 - missing)
            with pytest.raises(EngineError, match="CUDA error 2: out of memory") as raised:
                engine.infer({"x": np.ones((2, 3, 8, 8), np.float32)})
            assert "close other programs" in raised.value.hint
        stand_in.limit(1 << 30)
        assert (engine.infer({"x": np.ones((2, 3, 8, 8), np.float32)})["y"] == 3).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tensorrt": "8.4.1"}, r"TensorRT is .* and was 8\.4\.1"),
        ({"gpu": "Xavier"}, r"the GPU is Orin \(sm 8\.7\) and was Xavier"),
        ({"sm": "7.2"}, r"and was Orin \(sm 7\.2\)"),
        ({"source_sha256": "0" * 64}, r"affine\.onnx changed"),
    ],
)
def test_a_stale_engine_is_refused_before_tensorrt_sees_it(  # type: ignore[no-untyped-def]
    stand_in: StandIn, tmp_path: Path, change, reason: str
) -> None:
    path = write_engine(tmp_path, stand_in.tensorrt.__version__)
    record = record_of(path, stand_in.tensorrt.__version__)
    record.write(path)
    TensorRtEngine(path, cuda=stand_in.cuda).close()
    replace(record, **change).write(path)
    with pytest.raises(EngineStaleError, match=reason) as raised:
        TensorRtEngine(path, cuda=stand_in.cuda)
    assert raised.value.hint == f"build it again: {record.command}"
    path.with_suffix(".onnx").unlink()
    if "source_sha256" in change:  # nobody can tell without the source, and nobody has to
        TensorRtEngine(path, cuda=stand_in.cuda).close()


def test_the_key_changes_with_everything_that_changes_the_engine(tmp_path: Path) -> None:
    record = record_of(write_engine(tmp_path, "10.3.0"), "10.3.0")
    changes = [{"tensorrt": "10.4"}, {"gpu": "Thor"}, {"sm": "11.0"}, {"source_sha256": "1"}, {"options": {"level": 5}}]
    changes += [{"profile": {"x": ((1,), (1,), (2,))}}]
    keys = {replace(record, **change).key for change in changes}  # type: ignore[arg-type]
    assert len(keys | {record.key}) == len(changes) + 1
    assert replace(record, command="other", source="elsewhere.onnx").key == record.key


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "key": "", "inputs": 3}'])
def test_a_broken_record_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.engine"
    record_path(path).write_text(content)
    with pytest.raises(EngineStaleError, match="cannot be read"):
        EngineRecord.read(path)


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    path = write_engine(tmp_path, "10.3.0")
    record = replace(record_of(path, "10.3.0"), profile={"x": ((1, 3), (1, 3), (2, 3))}, options={"dla_core": 1})
    record.write(path)
    assert EngineRecord.read(path) == record
    assert json.loads(record_path(path).read_text())["key"] == record.key
    assert record.dla_core == 1


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
def test_only_tensorrt_runs_an_engine_file(tmp_path: Path, backend) -> None:  # type: ignore[no-untyped-def]
    bundle = Bundle(ModelSpec.model_validate(SPEC), tmp_path / "affine.engine")
    with pytest.raises(ConfigError, match=f"the backend {backend} cannot run"):
        open_engine(bundle, backend=backend)


def test_an_onnx_file_goes_to_onnx_runtime(tmp_path: Path) -> None:
    bundle = Bundle(ModelSpec.model_validate(SPEC), write_affine_network(tmp_path / "affine.onnx"))
    with open_engine(bundle, backend="cpu", threads=1) as engine:
        assert engine.backend == "onnxruntime-cpu"


@pytest.fixture
def built(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A network with the engine that was built from it beside it."""
    monkeypatch.setattr("trt_pose_app.engines.tensorrt.CudaRuntime", lambda: stand_in.cuda)
    version = stand_in.tensorrt.__version__
    path = write_engine(tmp_path, version)
    gpu = stand_in.cuda.gpu()
    replace(record_of(path, version), gpu=gpu.name, sm=gpu.sm).write(path)
    return Bundle(ModelSpec.model_validate(SPEC), path.with_suffix(".onnx"))


@pytest.mark.parametrize(
    ("backend", "allowed", "runs_on"),
    [("auto", True, "tensorrt"), ("auto", False, "onnxruntime-cpu"), ("cpu", True, "onnxruntime-cpu")],
)
def test_an_engine_stands_for_the_network_it_was_built_from(
    built: Bundle, backend: Backend, allowed: bool, runs_on: str
) -> None:
    with open_engine(built, backend=backend, threads=1, built=allowed) as engine:
        assert engine.backend == runs_on


def _changed_network(built: Bundle) -> None:
    write_affine_network(built.path, side=4)


def _without_record(built: Bundle) -> None:
    record_path(built.path.with_suffix(".engine")).unlink()


def _broken_record(built: Bundle) -> None:
    record_path(built.path.with_suffix(".engine")).write_text("{}")


def _other_tensorrt(built: Bundle) -> None:
    path = built.path.with_suffix(".engine")
    record = EngineRecord.read(path)
    assert record is not None
    replace(record, tensorrt="7.1").write(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_changed_network, "was not built from the present affine.onnx"),
        (_without_record, "was not built from the present affine.onnx"),
        (_broken_record, "build again: trt-pose convert"),
        (_other_tensorrt, "and was 7.1"),
    ],
)
def test_an_engine_that_does_not_fit_is_left_aside_with_a_word(
    built: Bundle, caplog: pytest.LogCaptureFixture, change: Callable[[Bundle], None], said: str
) -> None:
    change(built)
    with open_engine(built, threads=1, built=True) as engine:
        assert engine.backend == "onnxruntime-cpu"
    assert said in caplog.text


def test_without_tensorrt_the_message_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(DependencyError, match="TensorRT cannot be imported") as raised:
        TensorRtEngine(tmp_path / "a.engine")
    assert "--system-site-packages" in raised.value.hint
    assert raised.value.exit_code == 3


def test_without_a_gpu_the_real_cuda_runtime_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library where there is one, else its absence: both are exit code 3, and TensorRT is never entered."""
    if shutil.which("nvidia-smi") or Path("/dev/nvhost-gpu").exists():
        pytest.skip("this machine has a GPU")
    monkeypatch.setitem(sys.modules, "tensorrt", type(sys)("tensorrt"))
    with pytest.raises(DependencyError, match=r"no NVIDIA GPU|was not found") as raised:
        TensorRtEngine(tmp_path / "a.engine")
    assert raised.value.exit_code == 3


def test_a_tensorrt_newer_than_the_driver_is_left_before_it_crashes(stand_in: StandIn, tmp_path: Path) -> None:
    path = write_engine(tmp_path, stand_in.tensorrt.__version__)
    stand_in.tensorrt.no_driver = True  # type: ignore[attr-defined]
    with pytest.raises(DependencyError, match=r"cannot use the GPU.*error: 35") as raised:
        TensorRtEngine(path, cuda=stand_in.cuda)
    assert "newer than the driver" in raised.value.hint


def test_the_record_of_the_interface_is_that_of_the_real_bindings() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to load the bindings without TensorRT")
    script = Path(__file__).parents[2] / "scripts/record_tensorrt_api.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    if "no TensorRT bindings are installed" in printed.stderr:
        pytest.skip("needs the package tensorrt_cu12_bindings")
    assert printed.returncode == 0, printed.stderr
    real = json.loads(printed.stdout)
    version = real.pop("version")
    assert version in VERSIONS, f"record TensorRT {version} as well: scripts/record_tensorrt_api.py"
    assert real == API[version]
