"""A network with fused peaks shows the people that its maps show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

pytest.importorskip("onnxruntime")

import onnxruntime

from converters.bundle_writer import write_bundle
from converters.convert import convert
from converters.fuse import fuse_peaks
from converters.parity import compare
from converters.precision import to_fp16
from converters.request import Conversion, Request
from converters.stages import Stages
from converters.written_precision import written_precision
from scripts import paf_scenes
from tests.converters.networks import pictures, small_model, small_spec
from tests.networks import write_scripted_pose_network
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.decode.protocol import Decoder
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import build_paf_decoder, load
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.sources.images import read_image
from trt_pose_app.types import Poses

Maps = dict[str, NDArray[Any]]

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared"

# Two joined limbs whose channels stand in disorder, a background channel, and a third limb that only attaches.
TRIANGLE = {
    "skeleton": {"name": "triangle", "parts": ["a", "b", "c"], "limbs": [(0, 1), (1, 2), (0, 2)]},
    "paf": {
        "stride": 4,
        "component_order": "xy",
        "background_channel": 1,
        "limb_channels": [(4, 5), (1, 0), (2, 3)],
        "attach_only_limbs": [2],
    },
    "decode": {"max_peaks": 64, "min_keypoints": 1, "min_person_score": 0},
}


def maps_network(maps: Maps) -> onnx.ModelProto:
    """A network that gives back the maps it takes."""
    types = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in maps.items()}
    sides = {"cmap": ["n", maps["cmap"].shape[1], "h", "w"], "paf": ["n", maps["paf"].shape[1], "h", "w"]}
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"given_{name}"], [name]) for name in maps],
        "maps",
        [helper.make_tensor_value_info(f"given_{name}", types[name], sides[name]) for name in maps],
        [helper.make_tensor_value_info(name, types[name], sides[name]) for name in maps],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, feeds: Maps) -> Maps:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in model.graph.output]
    return dict(zip(names, session.run(names, feeds)))


def both_ways(maps: Maps, spec: ModelSpec, **options: int) -> tuple[list[Poses], list[Poses]]:
    """The people of plain maps and of the same maps with fused peaks."""
    fused, fused_spec = fuse_peaks(maps_network(maps), spec, **options)
    outputs = run(fused, {f"given_{name}": array for name, array in maps.items()})
    batch, _, height, width = maps["cmap"].shape
    stride = spec.paf.stride if spec.paf else 1
    geometry = [Geometry.stretch((width * stride, height * stride), (width * stride, height * stride))] * batch
    return decoder(spec).decode(maps, geometry), decoder(fused_spec).decode(outputs, geometry)


def decoder(spec: ModelSpec) -> Decoder:
    return build_paf_decoder(spec, ModelConfig())


def assert_same(plain: list[Poses], fused: list[Poses]) -> int:
    """Return how many people there are."""
    for one, other in zip(plain, fused, strict=True):
        assert len(one) == len(other)
        np.testing.assert_allclose(other.xy, one.xy, atol=1e-3)
        np.testing.assert_allclose(other.score, one.score, atol=1e-4)
        np.testing.assert_allclose(other.person, one.person, atol=1e-4)
    return sum(map(len, plain))


@pytest.mark.shared
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("size", [56, 92])
def test_crowds(dtype: type[np.floating[Any]], size: int) -> None:
    scenes = paf_scenes.read_scenes(SHARED / "golden/trt_pose/scenes.json")
    chosen = [scene for people in (1, 5, 20) for scene in paf_scenes.select(scenes, "overlapping", people)[:3]]
    made = [paf_scenes.maps(scene, size) for scene in chosen]
    maps = {name: np.concatenate([one[name] for one in made]).astype(dtype) for name in ("cmap", "paf")}
    assert assert_same(*both_ways(maps, small_spec())) > 50


@pytest.mark.shared
@pytest.mark.parametrize(
    ("network", "spec"),
    [
        ("../shared/weights/openpose-lightweight.onnx", "weights/openpose-lightweight.toml"),
        ("weights/pose-nano.onnx", "weights/pose-nano.toml"),
    ],
)
def test_photos(network: str, spec: str) -> None:
    model, read = onnx.load(ROOT / network), ModelSpec.read(ROOT / spec)
    fused, fused_spec = fuse_peaks(model, read)
    fused.graph.output.extend(model.graph.output)
    preprocess = Preprocessor(read.input)
    count = 0
    for path in sorted((SHARED / "images/coco_train/images").glob("*.jpg"))[:24:3]:
        tensor, geometry = preprocess(read_image(path))
        outputs = run(fused, {read.input.name: tensor})
        plain = decoder(read).decode({role: outputs[name] for role, name in read.outputs.items()}, [geometry])
        count += assert_same(plain, decoder(fused_spec).decode(outputs, [geometry]))
    assert count > 4


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_noise_with_peaks_everywhere(seed: int, dtype: type[np.floating[Any]]) -> None:
    assert assert_same(*both_ways(noise(seed, dtype), small_spec(**TRIANGLE), max_peaks=64)) > 10


def noise(seed: int, dtype: type[np.floating[Any]] = np.float32, size: tuple[int, int] = (11, 17)) -> Maps:
    """Two frames of noise, of few enough maxima and with many at the borders."""
    rng = np.random.default_rng(seed)
    return {
        "cmap": rng.uniform(-0.3, 1, (2, 4, *size)).astype(dtype),
        "paf": rng.uniform(-0.3, 1, (2, 6, *size)).astype(dtype),
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1e-42, -0.0])
@pytest.mark.parametrize("share", [0.02, 0.3, 1])
def test_odd_values_do_no_harm(value: float, share: float) -> None:
    maps = noise(3)
    rng = np.random.default_rng(5)
    for array in maps.values():
        array[rng.random(array.shape) < share] = value
    plain, fused = both_ways(maps, small_spec(**TRIANGLE), max_peaks=64)
    if share < 1:  # a frame of one value is one large plateau
        assert_same(plain, fused)


PEAKS = {
    "alone": ["0000000", "0129210", "0000000"],
    "two cells": ["0000000", "0129921", "0000000"],
    "three cells": ["0000000", "0299920", "0000000"],
    "a square": ["0000000", "0129910", "0129910"],
    "a diagonal": ["0009000", "0090000", "0000000"],
    "an arch": ["0099000", "0900900", "0000000"],
    "in a corner": ["9500000", "4000000", "0000000"],
    "along the edge": ["0000003", "0000009", "0000007"],
    "in the last corner": ["0000000", "0000045", "0000049"],
    "no peak: the end of a slope": ["0000000", "0338800", "0009000"],
    "no peak: two cells beside a higher one": ["0000000", "0088900", "0000000"],
}


@pytest.mark.parametrize("drawn", PEAKS.values(), ids=PEAKS)
def test_places_of_peaks(drawn: list[str]) -> None:
    spec = small_spec(**TRIANGLE)
    cmap = np.zeros((1, 4, 9, 7), np.float32)
    cmap[0, 0, :3] = cmap[0, 2, 3:6] = cmap[0, 3, 6:] = np.array([list(row) for row in drawn], np.float32) / 10
    paf = np.full((1, 6, 9, 7), 0.5, np.float32)
    assert assert_same(*both_ways({"cmap": cmap, "paf": paf}, spec)) > 0


def test_of_too_many_peaks_the_strongest_stay() -> None:
    plain, fused = both_ways(noise(1), small_spec(**{**TRIANGLE, "decode": {"max_peaks": 5}}))
    assert_same(plain, fused)
    spec = fuse_peaks(maps_network(noise(1)), small_spec(**TRIANGLE), max_peaks=7)[1]
    assert spec.decode.max_peaks == 7


def test_what_comes_out_is_small() -> None:
    model, spec = small_model(), small_spec()
    fused, fused_spec = fuse_peaks(model, spec)
    assert (fused_spec.kind, fused_spec.outputs) == ("paf_fused", {"peaks": "peaks", "limbs": "limbs"})
    shapes = {
        output.name: [side.dim_param or side.dim_value for side in output.type.tensor_type.shape.dim]
        for output in fused.graph.output
    }
    assert shapes == {"peaks": ["batch", 18, 32, 5], "limbs": ["batch", 21, 32, 32]}
    assert fused.ByteSize() - model.ByteSize() < 20_000
    assert model == small_model()
    assert {node.op_type for node in fused.graph.node}.isdisjoint({"If", "Loop", "Scan", "NonZero", "Mod"})


def test_in_a_half_network_coordinates_stay_float32() -> None:
    half, half_spec = to_fp16(small_model(), small_spec(), pictures(1))
    fused, _ = fuse_peaks(half, half_spec)
    appended = {node.name for node in fused.graph.node if node.name.startswith("fuse/")}
    types = onnx.shape_inference.infer_shapes(fused, strict_mode=True)
    made = {
        value.name: value.type.tensor_type.elem_type
        for value in types.graph.value_info
        if value.name.startswith("fuse/")
    }
    assert set(made.values()) == {TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL}
    kept = written_precision(fused).single & appended  # what TensorRT 8.6 is told to leave in float32
    assert {name.split("/")[1].split("_")[0] for name in kept} >= {"Add", "Atanh", "Div", "MaxPool", "TopK", "Mul"}


@pytest.mark.parametrize(
    ("changes", "opset", "complaint"),
    [
        pytest.param({"kind": "heatmap", "heatmap": {}, "outputs": {"heatmap": "cmap"}}, 17, "a heatmap", id="kind"),
        pytest.param({"kind": "paf_fused", "outputs": {"peaks": "a", "limbs": "b"}}, 17, "a paf_fused", id="fused"),
        pytest.param({}, 11, "opset 11", id="old operators"),
    ],
)
def test_what_cannot_be_fused_is_told(changes: dict[str, Any], opset: int, complaint: str) -> None:
    model = small_model()
    model.opset_import[0].version = opset
    with pytest.raises(ConfigError, match=complaint):
        fuse_peaks(model, small_spec(**changes))


def test_maps_smaller_than_the_number_of_peaks_are_told() -> None:
    model = small_model()
    for output in model.graph.output:
        for side, cells in zip(output.type.tensor_type.shape.dim[2:], (4, 7)):
            side.dim_value = cells
    with pytest.raises(ConfigError, match="fewer than 32 cells"):
        fuse_peaks(model, small_spec())


def converted(source: Path, target: Path, **options: Any) -> Conversion:
    request = Request(source=str(source), output=target, frames=2, threads=1, **options)
    return convert(request, Stages(lambda stage, outcome, seconds: None))


@pytest.mark.parametrize("options", [{}, {"uint8_input": True, "precision": "fp16"}], ids=["plain", "all"])
def test_a_conversion_is_proved_by_its_people_and_runs(tmp_path: Path, options: dict[str, Any]) -> None:
    source, target = write_scripted_pose_network(tmp_path), tmp_path / "fused.onnx"
    done = converted(source, target, fuse_peaks=True, **options)
    assert done.passed
    people = done.reports[-1].people
    assert people is not None
    assert (people.source, people.result, people.found) == (4, 4, 1)
    assert ModelSpec.read(target.with_suffix(".toml")).kind == "paf_fused"
    picture = pictures(1)[0]
    config = ModelConfig(backend="cpu", threads=1)
    with load(str(source), config) as plain, load(str(target), config) as fused:
        before, after = plain(picture), fused(picture)
    assert len(before) == len(after) == 2
    np.testing.assert_allclose(after.xy, before.xy, atol=0.1 if options else 1e-3)


def test_precision_comes_before_fusing(tmp_path: Path) -> None:
    source, fused = write_scripted_pose_network(tmp_path), tmp_path / "fused.onnx"
    converted(source, fused, fuse_peaks=True)
    with pytest.raises(ConfigError, match="would round their coordinates"):
        converted(fused, tmp_path / "half.onnx", precision="fp16")
    assert not (tmp_path / "half.onnx").exists()


def test_people_beyond_the_room_for_peaks_are_no_error_of_the_conversion(tmp_path: Path) -> None:
    model, spec = small_model(), small_spec(input={"resize": "stretch"}, decode={"min_person_score": 0})
    plain = write_bundle(model, spec, tmp_path / "plain.onnx")
    fused = write_bundle(*fuse_peaks(model, spec, max_peaks=3), tmp_path / "fused.onnx")
    report = compare(plain, fused, pictures(2), threads=1)
    assert report.passed, report.broken
    assert report.people is not None
    assert report.people.source > 3
