"""Building engines: real polygraphy on a stand-in for TensorRT that has each version's real interface."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converters.engine_options import EngineOptions
from converters.free_memory import warn_if_short
from converters.tensorrt import build_engine
from converters.written_precision import tensors_of, written_precision
from tests.cuda_stand_in import StandIn, cudart_library, stand_in
from tests.networks import write_affine_network, write_scripted_pose_network
from trt_pose_app.engines.cache import EngineRecord, record_path
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.engines.tensorrt import TensorRtEngine
from trt_pose_app.errors import ConfigError, DependencyError, EngineBuildError, EngineStaleError
from trt_pose_app.models.bundle import Bundle, read_bundle
from trt_pose_app.models.spec import ModelSpec

pytest.importorskip("polygraphy")
__all__ = ["cudart_library", "stand_in"]

SPEC = ModelSpec.model_validate(
    {
        "name": "affine",
        "kind": "heatmap",
        "skeleton": {"name": "dot", "parts": ("dot",)},
        "input": {"name": "x", "width": 8, "height": 8, "colour": "rgb"},
        "outputs": {"heatmap": "y"},
        "heatmap": {},
        "origin": {"licence": "none"},
    }
)


@pytest.fixture
def affine(tmp_path: Path) -> Bundle:
    return Bundle(SPEC, write_affine_network(tmp_path / "affine.onnx"))


def mixed_network(path: Path) -> Path:
    """Write a network that adds in float16 and multiplies in float32, with float32 outside."""
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], name="to_half", to=TensorProto.FLOAT16),
        helper.make_node("Add", ["half", "half"], ["double"], name="add_in_half"),
        helper.make_node("Cast", ["double"], ["single"], name="to_single", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["single", "single"], ["y"], name="multiply_in_single"),
    ]
    shape = ["batch", 3, 8, 8]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    model = helper.make_model(
        helper.make_graph(nodes, "mixed", tensors[:1], tensors[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(model, path)
    return path


def major(made: StandIn) -> int:
    return int(made.tensorrt.__version__.split(".")[0])


def calls(made: StandIn, name: str) -> list[tuple[object, ...]]:
    return [call for call in made.tensorrt.calls if call[0] == name]


def test_an_engine_is_built_recorded_and_runs(stand_in: StandIn, affine: Bundle, tmp_path: Path) -> None:
    told: list[str] = []
    target = tmp_path / "engines" / "affine.engine"
    made = build_engine(affine, target, tell=told.append, cuda=stand_in.cuda)
    assert made == read_bundle(target)
    assert made.spec == SPEC
    record = EngineRecord.read(target)
    assert record is not None
    assert (record.tensorrt, record.gpu, record.sm) == (stand_in.tensorrt.__version__, "Orin", "8.7")
    assert record.source_sha256 == affine.sha256
    assert record.profile == {"x": ((1, 3, 8, 8),) * 3}
    assert [tensor.name for tensor in record.outputs] == ["y", "total"]
    assert record.command == f"trt-pose convert {affine.path} --to engine -o {target}"
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    with TensorRtEngine(target, SPEC, cuda=stand_in.cuda) as engine, OnnxRuntimeEngine(affine.path, threads=1) as onnx_:
        assert np.array_equal(engine.infer({"x": x})["y"], onnx_.infer({"x": x})["y"])
    progress = "Build: 2 of 2" in told
    assert progress == (major(stand_in) >= 10), "8.6 has no IProgressMonitor"
    assert any("tells no progress" in line for line in told) != progress


@pytest.mark.parametrize("network", [write_affine_network, mixed_network])
def test_precision_is_what_the_onnx_says(stand_in: StandIn, tmp_path: Path, network) -> None:  # type: ignore[no-untyped-def]
    bundle = Bundle(SPEC, network(tmp_path / "a.onnx"))
    build_engine(bundle, tmp_path / "a.engine", cuda=stand_in.cuda)
    mixed = network is mixed_network
    if major(stand_in) >= 10:
        assert calls(stand_in, "network") == [("network", ["STRONGLY_TYPED"])]
        assert calls(stand_in, "set_flag") == []
    else:
        assert calls(stand_in, "network") == [("network", ["EXPLICIT_BATCH"])]
        flags = {flag for _, flag in calls(stand_in, "set_flag")}
        assert flags == ({"FP16", "OBEY_PRECISION_CONSTRAINTS"} if mixed else set())
        assert calls(stand_in, "float32") == ([("float32", "multiply_in_single")] if mixed else [])


def test_the_formats_of_a_graph(tmp_path: Path) -> None:
    mixed = written_precision(onnx.load(mixed_network(tmp_path / "a.onnx")))
    assert (mixed.half, mixed.quantised, mixed.single) == (True, False, {"multiply_in_single"})
    plain = onnx.load(write_affine_network(tmp_path / "b.onnx"))
    assert not written_precision(plain).half
    inputs, outputs = tensors_of(plain)
    assert inputs[0].shape == (-1, 3, -1, -1)
    assert [tensor.name for tensor in outputs] == ["y", "total"]


def test_options_reach_tensorrt(stand_in: StandIn, affine: Bundle, tmp_path: Path) -> None:
    options = EngineOptions(
        batch=(1, 2, 4),
        sizes=((4, 4), (8, 8), (16, 8)),
        workspace_mib=64,
        level=5,
        timing_cache=tmp_path / "cache" / "timing",
    )
    target = tmp_path / "affine.engine"
    build_engine(affine, target, options, cuda=stand_in.cuda)
    assert ("limit", "WORKSPACE", 64 * 2**20) in stand_in.tensorrt.calls
    record = EngineRecord.read(target)
    assert record is not None
    assert record.profile["x"] == ((1, 3, 4, 4), (2, 3, 8, 8), (4, 3, 8, 16))
    with TensorRtEngine(target, cuda=stand_in.cuda) as engine:
        assert engine.infer({"x": np.zeros((4, 3, 8, 16), np.float32)})["y"].shape == (4, 3, 8, 16)
    # The measurements of the first build serve the second.
    assert calls(stand_in, "timing cache") == [("timing cache", b"")]
    build_engine(affine, target, options, cuda=stand_in.cuda)
    assert calls(stand_in, "timing cache")[1] == ("timing cache", b"+")


def test_an_engine_is_rebuilt_exactly_when_needed(stand_in: StandIn, affine: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "affine.engine"

    def builds(options: EngineOptions | None = None) -> bool:
        before = len(calls(stand_in, "network"))
        build_engine(affine, target, options, reuse=True, cuda=stand_in.cuda)
        return len(calls(stand_in, "network")) > before

    assert builds()
    assert not builds()
    assert builds(EngineOptions(level=1))
    assert builds()
    record_path(target).write_text("broken")
    assert builds()
    stand_in.tensorrt.__version__ += ".1"  # an update of the board
    with pytest.raises(EngineStaleError, match="TensorRT is"):
        TensorRtEngine(target, cuda=stand_in.cuda)
    assert builds()
    assert not builds()
    content = onnx.load(affine.path)
    content.producer_name = "changed"
    onnx.save(content, affine.path)
    assert builds()


def test_the_dla_gets_what_it_can_compute(stand_in: StandIn, affine: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "a.engine"
    with pytest.raises(ConfigError, match="float32, which the DLA cannot compute"):
        build_engine(affine, target, EngineOptions(dla_core=0), cuda=stand_in.cuda)
    half = Bundle(SPEC, mixed_network(tmp_path / "half.onnx"))
    with pytest.raises(ConfigError, match="one shape only"):
        build_engine(half, target, EngineOptions(dla_core=0, batch=(1, 1, 2)), cuda=stand_in.cuda)
    build_engine(half, target, EngineOptions(dla_core=1), cuda=stand_in.cuda)
    assert calls(stand_in, "dla") == [("dla", "DLA", 1)]
    flags = {flag for _, flag in calls(stand_in, "set_flag")}
    assert "GPU_FALLBACK" in flags
    assert ("FP16" in flags) == (major(stand_in) < 11)
    assert "OBEY_PRECISION_CONSTRAINTS" not in flags, "polygraphy sets PREFER here, and both exclude each other"
    record = EngineRecord.read(target)
    assert record is not None
    assert record.dla_core == 1
    assert record.command.endswith("a.engine --dla-core 1")


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        ("[defaultAllocator.cpp] Error Code 2: OutOfMemory (Requested size was 8388608 bytes.)", "add swap"),
        ("Error Code 10: Internal Error (Could not find any implementation for node conv1.)", "raise the workspace"),
        ("something unheard of", "trt-pose doctor"),
    ],
)
def test_a_failed_build_says_why_and_writes_nothing(
    stand_in: StandIn, affine: Bundle, tmp_path: Path, log: str, hint: str
) -> None:
    stand_in.tensorrt.fails_with = log  # type: ignore[attr-defined]
    with pytest.raises(EngineBuildError) as raised:
        build_engine(affine, tmp_path / "affine.engine", cuda=stand_in.cuda)
    assert log in raised.value.message
    assert hint in raised.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["affine.onnx"]


def test_an_operator_that_tensorrt_lacks(stand_in: StandIn, tmp_path: Path) -> None:
    model = onnx.load(mixed_network(tmp_path / "a.onnx"))
    model.graph.node[1].op_type = "Unsupported"
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(EngineBuildError) as raised:
        build_engine(Bundle(SPEC, tmp_path / "a.onnx"), tmp_path / "a.engine", cuda=stand_in.cuda)
    assert "lacks an operator" in raised.value.hint


def test_ctrl_c_ends_a_build(stand_in: StandIn, affine: Bundle, tmp_path: Path) -> None:
    def tell(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(affine, tmp_path / "affine.engine", tell=tell, cuda=stand_in.cuda)
    assert not (tmp_path / "affine.engine").exists()


def test_stdout_stays_clean(
    stand_in: StandIn, affine: Bundle, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    build_engine(affine, tmp_path / "affine.engine", cuda=stand_in.cuda)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"batch": (2, 1, 4)}, "batch"),
        ({"batch": (0, 1, 1)}, "batch"),
        ({"sizes": ((8, 8), (4, 8), (8, 8))}, "widths 8, 4, 8"),
        ({"workspace_mib": 0}, "workspace"),
        ({"dla_core": 2}, "an Orin has 0 and 1"),
        ({"level": 6}, "level 6"),
    ],
)
def test_contradictory_options_are_refused(options, complaint: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=complaint):
        EngineOptions(**options)


def test_a_fixed_network_takes_no_other_size(stand_in: StandIn, tmp_path: Path) -> None:
    fixed = Bundle(SPEC, write_affine_network(tmp_path / "a.onnx", side=8))  # type: ignore[arg-type]
    options = EngineOptions(sizes=((8, 8), (8, 8), (16, 16)))
    with pytest.raises(ConfigError, match="fixed to"):
        build_engine(fixed, tmp_path / "a.engine", options, cuda=stand_in.cuda)


def test_a_fixed_batch_stays(stand_in: StandIn, tmp_path: Path) -> None:
    pose = read_bundle(write_scripted_pose_network(tmp_path))
    build_engine(pose, tmp_path / "a.engine", EngineOptions(batch=(1, 4, 16)), cuda=stand_in.cuda)
    record = EngineRecord.read(tmp_path / "a.engine")
    assert record is not None
    assert record.profile == {"image": ((1, 3, 128, 128),) * 3}


def test_a_small_board_is_told_to_add_swap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "proc").mkdir()
    meminfo = tmp_path / "proc/meminfo"
    meminfo.write_text("MemTotal: 4062432 kB\nMemAvailable: 1048576 kB\nSwapTotal: 0 kB\n")
    with caplog.at_level(logging.WARNING):
        text = warn_if_short(85 * 2**20, 256, root=tmp_path)
    assert text is not None
    assert "fallocate -l 3G /swapfile" in text
    assert "1024 MiB are free" in caplog.text
    meminfo.write_text("MemTotal: 65000000 kB\nMemAvailable: 60000000 kB\nSwapTotal: 0 kB\n")
    assert warn_if_short(85 * 2**20, 256, root=tmp_path) is None


def test_a_pose_engine_finds_the_same_people(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trt_pose_app.engines import tensorrt
    from trt_pose_app.estimators import load

    monkeypatch.setattr(tensorrt, "CudaRuntime", lambda: stand_in.cuda)
    path = write_scripted_pose_network(tmp_path)
    build_engine(read_bundle(path), path.with_suffix(".engine"), cuda=stand_in.cuda)
    image = np.zeros((240, 320, 3), np.uint8)
    with load(str(path)) as with_onnx, load(str(path.with_suffix(".engine"))) as with_engine:
        expected, found = with_onnx(image), with_engine(image)
    assert len(found) == len(expected) == 2
    assert np.array_equal(found.xy, expected.xy, equal_nan=True)


def test_without_a_gpu_nothing_is_attempted(stand_in: StandIn, affine: Bundle, tmp_path: Path) -> None:
    if Path("/dev/nvidia0").exists() or Path("/dev/nvhost-gpu").exists():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DependencyError, match=r"no NVIDIA GPU|was not found"):
        build_engine(affine, tmp_path / "affine.engine")
    assert stand_in.tensorrt.calls == []
