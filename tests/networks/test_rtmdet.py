"""RTMDet against what mmdet computes, with weights by name and with the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trt_pose_app.decode.detection import BoxDecoder, DetectionParams  # noqa: E402
from trt_pose_app.errors import ModelSpecError  # noqa: E402
from trt_pose_app.geometry import Geometry  # noqa: E402
from trt_pose_app.networks import mobilenetv2_heatmap, rtmpose  # noqa: E402
from trt_pose_app.networks.rtmdet import RtmDetVariant, identify  # noqa: E402

NANO = RtmDetVariant("nano")
NAMES = list(NANO.spec().outputs.values())


def shapes(variant: RtmDetVariant) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in variant.build().state_dict().items()}


def run(network: Any, pictures_bgr: np.ndarray) -> dict[str, np.ndarray]:
    """Return the raw maps for letterboxed pictures (N, H, W, 3)."""
    spec = NANO.spec().input
    normalised = (pictures_bgr - np.float32(spec.mean)) / np.float32(spec.std)
    with torch.no_grad():
        outputs = network(torch.from_numpy(np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))))
    return {name: output.numpy() for name, output in zip(NAMES, outputs)}


@pytest.fixture(scope="module")
def golden(mm: Path) -> Any:
    return np.load(mm / "golden_rtmdet-nano.npz")


@pytest.fixture(scope="module")
def real(shared: Path) -> Any:
    """RTMDet-nano with the published weights."""
    arrays = np.load(shared / "weights/rtmdet_nano_person_real_statedict.npz")
    network = NANO.build()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, strict=True)
    return network


@pytest.mark.shared
def test_tensors_are_named_and_ordered_as_in_mmdet(shapes_of: Callable[[str], Any]) -> None:
    theirs = shapes_of("rtmdet-nano")
    assert identify(theirs) == NANO
    assert list(shapes(NANO).items()) == list(theirs.items())


@pytest.mark.shared
@pytest.mark.parametrize("weights", ["detfill", "real"])
def test_raw_maps_equal_mmdets(weights: str, golden: Any, real: Any, filled: Callable[..., Any]) -> None:
    network = real if weights == "real" else filled(NANO.build(), (1.53, 1.0))
    count = len(golden[f"{weights}_s8"])
    maps = run(network, golden["letterbox_bgr"][:count])
    for stride in (8, 16, 32):
        theirs = golden[f"{weights}_s{stride}"].transpose(0, 3, 1, 2)
        np.testing.assert_allclose(maps[f"class{stride}"], theirs[:, :1], atol=2e-4)
        # The last layer counts distances, up to 170 px, in strides.
        np.testing.assert_allclose(maps[f"box{stride}"] / stride, theirs[:, 1:] / stride, atol=2e-4)


@pytest.mark.shared
def test_the_published_weights_find_the_people_of_the_photos(golden: Any, real: Any, mm: Path) -> None:
    recorded = json.loads((mm / "rtmdet_real_detections.json").read_text())
    detector = NANO.spec().detector
    assert detector is not None
    params = DetectionParams(
        format=detector.format, strides=detector.strides, nms_iou=detector.nms_iou, score_threshold=0.05, max_boxes=200
    )
    photos = [name for name in golden["names"] if name in recorded]
    assert len(photos) == 4
    for name in photos:
        index = list(golden["names"]).index(name)
        width, height = recorded[name]["width"], recorded[name]["height"]
        maps = run(real, golden["letterbox_bgr"][index : index + 1])
        boxes = BoxDecoder(params).decode(maps, Geometry.stretch((320, 320), (320, 320)))
        expected = np.array(recorded[name]["raw_heads_thr05_nms06"], np.float32)
        np.testing.assert_allclose(boxes.score, expected[:, 4], atol=1e-3)
        # mmdet rounds the sides of the resized photo, so that x and y have factors of their own.
        scale, frame = np.tile(golden["scale_xy"][index], 2), [width, height, width, height]
        np.testing.assert_allclose((boxes.xyxy / scale).clip(0, frame), expected[:, :4].clip(0, frame), atol=0.02)


# Parameters in millions as published: mmpose's person detectors, and mmdet's of 80 classes.
@pytest.mark.parametrize(
    ("variant", "published"),
    [(NANO, 0.99), (RtmDetVariant("m"), 24.66), (RtmDetVariant("s", 80), 8.89)],
)
def test_parameters_are_as_published(variant: RtmDetVariant, published: float) -> None:
    count = sum(parameter.numel() for parameter in variant.build().parameters())
    assert round(count / 1e6, 2) == published


@pytest.mark.parametrize("variant", [NANO, RtmDetVariant("t"), RtmDetVariant("s", 80), RtmDetVariant("m")])
def test_a_state_dict_tells_its_variant(variant: RtmDetVariant) -> None:
    assert identify(shapes(variant)) == variant
    spec = variant.spec()
    assert (spec.input.width, spec.input.colour, spec.input.padding_value) == (
        320 if variant.size == "nano" else 640,
        "bgr",
        114,
    )
    assert list(spec.outputs) == ["class8", "box8", "class16", "box16", "class32", "box32"]


def test_levels_share_convolutions_but_for_nano() -> None:
    head = RtmDetVariant("t").build().bbox_head
    assert head.cls_convs[2][1].conv is head.cls_convs[0][1].conv
    assert head.cls_convs[2][1].bn is not head.cls_convs[0][1].bn


def test_the_medium_size_gives_logarithms_of_distances() -> None:
    with torch.no_grad():
        boxes = RtmDetVariant("m").build()(torch.zeros(1, 3, 64, 64))[1::2]
    assert all(float(box.min()) > 0 for box in boxes)


def test_other_networks_are_none_of_ours() -> None:
    assert identify({}) is None
    for other in (rtmpose.RtmPoseVariant("t", 17, 192, 256), mobilenetv2_heatmap.MobileNetV2HeatmapVariant(17)):
        state = other.build().state_dict()
        assert identify({name: tuple(tensor.shape) for name, tensor in state.items()}) is None


@pytest.mark.parametrize(
    ("key", "shape", "complaint"),
    [
        ("backbone.stem.2.conv.weight", (64, 32, 3, 3), "width 64"),
        ("bbox_head.rtm_ang.0.weight", (1, 64, 1, 1), "rtm_ang"),
    ],
)
def test_another_rtmdet_is_refused(key: str, shape: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(ModelSpecError, match=complaint):
        identify(shapes(NANO) | {key: shape})


@pytest.mark.shared
@pytest.mark.parametrize("size", ["nano", "t"])
def test_onnx_equals_torch_for_any_batch(
    size: str, filled: Callable[..., Any], exported: Callable[..., Any], run_onnx: Callable[..., Any]
) -> None:
    network = filled(RtmDetVariant(size).build(), (1.3, 1.0))
    pictures = np.random.default_rng(0).normal(size=(2, 3, 64, 96)).astype(np.float32)
    model = exported(network, torch.from_numpy(pictures[:1]), NAMES)
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures))
    for ours, theirs in zip(run_onnx(model, pictures), expected):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-4)
    assert not {node.op_type for node in model.graph.node} & {"Shape", "Gather", "Slice", "NonMaxSuppression", "TopK"}
