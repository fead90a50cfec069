"""MobileNetV2 with a heatmap head against what mmpose computes with the same weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trt_pose_app.errors import ModelSpecError  # noqa: E402
from trt_pose_app.networks import rtmdet, rtmpose  # noqa: E402
from trt_pose_app.networks.mobilenetv2_heatmap import MobileNetV2HeatmapVariant, identify  # noqa: E402

USUAL = MobileNetV2HeatmapVariant(17)
GAINS = (1.3, 1.0)


def shapes(variant: MobileNetV2HeatmapVariant) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in variant.build().state_dict().items()}


@pytest.mark.shared
def test_tensors_are_named_and_ordered_as_in_mmpose(shapes_of: Callable[[str], Any]) -> None:
    theirs = shapes_of("mobilenetv2")
    assert identify(theirs) == USUAL
    assert list(shapes(USUAL).items()) == list(theirs.items())


@pytest.mark.shared
def test_equals_mmpose(mm: Path, filled: Callable[..., Any], crops: np.ndarray) -> None:
    golden = np.load(mm / "golden_mobilenetv2.npz")
    with torch.no_grad():
        heatmaps = filled(USUAL.build(), GAINS)(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(heatmaps, golden["heatmaps"], atol=2e-4)
    np.testing.assert_array_equal(_decode(heatmaps), golden["keypoints_input"])


def _decode(heatmaps: np.ndarray) -> np.ndarray:
    """Return the peaks in input pixels as mmpose reads them: a quarter cell towards the higher neighbour."""
    n, k, height, width = heatmaps.shape
    peak = heatmaps.reshape(n, k, -1).argmax(axis=-1)
    y, x = np.divmod(peak, width)
    found = np.stack([x, y], axis=-1).astype(np.float32)
    for i, j in np.ndindex(n, k):
        column, row = x[i, j], y[i, j]
        if 1 < column < width - 1 and 0 < row < height:
            found[i, j, 0] += 0.25 * np.sign(heatmaps[i, j, row, column + 1] - heatmaps[i, j, row, column - 1])
        if 1 < row < height - 1 and 0 < column < width:
            found[i, j, 1] += 0.25 * np.sign(heatmaps[i, j, row + 1, column] - heatmaps[i, j, row - 1, column])
    return found * 4


def test_spec_of_both_published_sizes() -> None:
    spec = USUAL.spec()
    assert (spec.name, spec.skeleton) == ("mobilenetv2-heatmap-coco17-256x192", "coco17")
    assert (spec.input.width, spec.input.height, spec.input.resize) == (192, 256, "affine-crop")
    large = dataclasses.replace(USUAL, width=288, height=384).spec()
    assert (large.name, large.input.height) == ("mobilenetv2-heatmap-coco17-384x288", 384)


def test_heatmaps_are_a_quarter_of_the_input() -> None:
    with torch.no_grad():
        heatmaps = MobileNetV2HeatmapVariant(26).build()(torch.zeros(1, 3, 128, 96))
    assert tuple(heatmaps.shape) == (1, 26, 32, 24)


def test_other_networks_are_none_of_ours() -> None:
    assert identify({}) is None
    for other in (rtmpose.RtmPoseVariant("t", 17, 192, 256), rtmdet.RtmDetVariant("nano")):
        state = other.build().state_dict()
        assert identify({name: tuple(tensor.shape) for name, tensor in state.items()}) is None


def test_another_width_is_refused() -> None:
    with pytest.raises(ModelSpecError, match="no published width"):
        identify(shapes(USUAL) | {"head.deconv_layers.0.weight": (640, 256, 4, 4)})


@pytest.mark.shared
def test_onnx_equals_torch_for_any_batch(
    filled: Callable[..., Any], exported: Callable[..., Any], run_onnx: Callable[..., Any], crops: np.ndarray
) -> None:
    network = filled(USUAL.build(), GAINS)
    small = np.ascontiguousarray(crops[:2, :, 64:192, 48:144])
    model = exported(network, torch.from_numpy(small[:1]), ["heatmap"])
    with torch.no_grad():
        expected = network(torch.from_numpy(small)).numpy()
    np.testing.assert_allclose(run_onnx(model, small)[0], expected, atol=1e-4)
    assert not {node.op_type for node in model.graph.node} & {"Shape", "Gather", "Slice", "Reshape"}
