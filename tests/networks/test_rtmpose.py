"""RTMPose against what mmpose computes with the same weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trt_pose_app.errors import ModelSpecError  # noqa: E402
from trt_pose_app.networks import mobilenetv2_heatmap, rtmdet  # noqa: E402
from trt_pose_app.networks.gated_attention import GatedAttention, ScaleNorm  # noqa: E402
from trt_pose_app.networks.rtmpose import FP32_SCOPES, RtmPoseVariant, identify  # noqa: E402

T = RtmPoseVariant("t", 17, 192, 256)
GAINS = {"t": (1.6, 0.7), "m": (1.49, 0.7)}


def shapes(variant: RtmPoseVariant) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in variant.build().state_dict().items()}


@pytest.mark.shared
@pytest.mark.parametrize("size", ["t", "s", "m", "l"])
def test_tensors_are_named_and_ordered_as_in_mmpose(size: str, shapes_of: Callable[[str], Any]) -> None:
    theirs = shapes_of(f"rtmpose-{size}")
    assert identify(theirs) == RtmPoseVariant(size, 17, 192, 256)
    assert list(shapes(RtmPoseVariant(size, 17, 192, 256)).items()) == list(theirs.items())


@pytest.mark.shared
@pytest.mark.parametrize("size", ["t", "m"])
def test_equals_mmpose(size: str, mm: Path, filled: Callable[..., Any], crops: np.ndarray) -> None:
    golden = np.load(mm / f"golden_rtmpose-{size}.npz")
    network = filled(RtmPoseVariant(size, 17, 192, 256).build(), GAINS[size])
    with torch.no_grad():
        x, y = (output.numpy() for output in network(torch.from_numpy(crops)))
    np.testing.assert_allclose(x, golden["simcc_x"], atol=2e-4)
    np.testing.assert_allclose(y, golden["simcc_y"], atol=2e-4)
    keypoints = np.stack([x.argmax(axis=-1), y.argmax(axis=-1)], axis=-1) / 2
    np.testing.assert_array_equal(keypoints, golden["keypoints_input"])
    np.testing.assert_allclose(np.minimum(x.max(axis=-1), y.max(axis=-1)), golden["scores"], atol=2e-4)


# Parameters in millions as published (README of mmpose's projects/rtmpose).
@pytest.mark.parametrize(
    ("variant", "published"),
    [
        (T, 3.34),
        (RtmPoseVariant("m", 17, 288, 384), 13.72),
        (RtmPoseVariant("l", 17, 288, 384), 27.79),
        (RtmPoseVariant("x", 17, 288, 384), 49.43),
    ],
)
def test_parameters_are_as_published(variant: RtmPoseVariant, published: float) -> None:
    count = sum(parameter.numel() for parameter in variant.build().parameters())
    assert round(count / 1e6, 2) == published


@pytest.mark.parametrize("size", ["t", "s"])
@pytest.mark.parametrize(("n_keypoints", "skeleton"), [(17, "coco17"), (26, "halpe26"), (133, "coco133")])
@pytest.mark.parametrize(("width", "height"), [(192, 256), (288, 384)])
def test_a_state_dict_tells_its_variant(size: str, n_keypoints: int, skeleton: str, width: int, height: int) -> None:
    variant = RtmPoseVariant(size, n_keypoints, width, height)
    assert identify(shapes(variant)) == variant
    spec = variant.spec()
    assert spec.name == f"rtmpose-{size}-{skeleton}-{height}x{width}"
    assert len(spec.build_skeleton()) == n_keypoints
    assert (spec.input.width, spec.input.height, spec.input.colour) == (width, height, "rgb")
    assert (spec.input.resize, spec.input.crop_padding) == ("affine-crop", 1.25)
    assert list(spec.outputs.values()) == ["simcc_x", "simcc_y"]


def test_outputs_have_two_bins_a_pixel() -> None:
    with torch.no_grad():
        x, y = RtmPoseVariant("t", 26, 288, 384).build()(torch.zeros(2, 3, 384, 288))
    assert (tuple(x.shape), tuple(y.shape)) == ((2, 26, 576), (2, 26, 768))


def test_other_networks_are_none_of_ours() -> None:
    assert identify({}) is None
    assert identify({"conv1.weight": (64, 3, 7, 7)}) is None
    for other in (rtmdet.RtmDetVariant("nano"), mobilenetv2_heatmap.MobileNetV2HeatmapVariant(17)):
        state = other.build().state_dict()
        assert identify({name: tuple(tensor.shape) for name, tensor in state.items()}) is None


@pytest.mark.parametrize(
    ("key", "shape", "complaint"),
    [
        ("backbone.stem.2.conv.weight", (28, 12, 3, 3), "width 28"),
        ("backbone.stage2.1.blocks.1.conv1.conv.weight", (48, 48, 3, 3), r"depths \(1, 2, 1, 1\)"),
        ("head.cls_x.weight", (500, 256), "does not fit"),
        ("head.mlp.1.weight", (256, 64), "does not fit"),
    ],
)
def test_sizes_that_nobody_published_are_refused(key: str, shape: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(ModelSpecError, match=complaint):
        identify(shapes(T) | {key: shape})


def test_an_unknown_number_of_keypoints_has_no_spec() -> None:
    with pytest.raises(ModelSpecError, match="21 keypoints") as refusal:
        RtmPoseVariant("t", 21, 256, 256).spec()
    assert "133 (coco133)" in refusal.value.hint


@pytest.mark.shared
def test_onnx_equals_torch_for_any_batch(
    filled: Callable[..., Any], exported: Callable[..., Any], run_onnx: Callable[..., Any], crops: np.ndarray
) -> None:
    network = filled(T.build(), GAINS["t"])
    model = exported(network, torch.from_numpy(crops[:1]), list(T.spec().outputs.values()))
    for batch in (1, 3):
        with torch.no_grad():
            expected = network(torch.from_numpy(crops[:batch]))
        for ours, theirs in zip(run_onnx(model, crops[:batch]), expected):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
    used = Counter(node.op_type for node in model.graph.node)
    assert not used.keys() & {"Shape", "Gather", "Unsqueeze", "Slice", "Expand", "Where", "Loop", "Einsum"}
    for scope in FP32_SCOPES:
        assert any(scope in node.name for node in model.graph.node)


def test_scale_norm_is_mmposes() -> None:
    norm = ScaleNorm()
    norm.g.data.fill_(1.3)
    x = (
        torch.randn(4, 17, 48, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1e-9, 1e-3, 1, 1e3])[:, None, None]
    )
    expected = x / (x.norm(dim=-1, keepdim=True) * 48**-0.5).clamp(min=1e-5) * 1.3
    torch.testing.assert_close(norm(x), expected)
    assert not norm(torch.zeros(1, 1, 48)).any()


@pytest.mark.parametrize("magnitude", [1e-3, 1.0, 100.0, 20_000.0])
def test_scale_norm_holds_in_half_precision(magnitude: float) -> None:
    x = torch.randn(2, 17, 256, generator=torch.Generator().manual_seed(0)).clamp(-3, 3) * magnitude
    half = ScaleNorm().half()(x.half())
    torch.testing.assert_close(half.float(), ScaleNorm()(x.half().float()), rtol=5e-3, atol=1e-3)


def test_attention_treats_every_order_of_the_keypoints_alike() -> None:
    attention = GatedAttention(64).eval()
    tokens = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(attention(tokens)[:, order], attention(tokens[:, order]))
