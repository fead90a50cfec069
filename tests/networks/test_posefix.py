"""PoseFix: its codec is the host's, its graph is the network's, and odd input poses do no harm."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trt_pose_app.decode.pose_maps import PoseMaps
from trt_pose_app.decode.soft_argmax import SoftArgmax as HostSoftArgmax
from trt_pose_app.models.spec import ModelSpec

torch = pytest.importorskip("torch")

from trt_pose_app.networks.pose_codec import CellGrid, Gaussians, SoftArgmax  # noqa: E402
from trt_pose_app.networks.posefix import CropRefiner, PoseFixNano, PoseFixVariant  # noqa: E402

SIDE, N, K = 64, 3, 17


@pytest.fixture(scope="module")
def network() -> PoseFixNano:
    torch.manual_seed(0)
    nano = PoseFixNano(K, trunk_channels=8).eval()
    with torch.no_grad():
        nano.pose.weight.normal_(std=0.1)
        nano.out.weight.normal_(std=0.5)
    return nano


@pytest.fixture
def feeds() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (N, SIDE, SIDE, 3), np.uint8),
        "coordinates": rng.uniform(0, SIDE, (N, K, 2)).astype(np.float32),
        "validity": (rng.random((N, K)) > 0.3).astype(np.float32),
    }


def refined(network: PoseFixNano, feeds: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    with torch.no_grad():
        pose, confidence = CropRefiner(network)(*(torch.from_numpy(array) for array in feeds.values()))
    return pose.numpy(), confidence.numpy()


@pytest.mark.parametrize(("stride", "map_offset"), [(1, 0.0), (4, 0.5)])
def test_maps_in_the_graph_are_the_host_s(stride: int, map_offset: float, feeds: dict[str, NDArray[Any]]) -> None:
    xy, valid = feeds["coordinates"], feeds["validity"] > 0
    cells = SIDE // stride
    codec = Gaussians(CellGrid(stride, map_offset), sigma_px=2.0 * stride, peak=255.0)
    in_graph = codec(torch.from_numpy(xy), torch.from_numpy(feeds["validity"]), cells, cells).numpy()
    host = PoseMaps((cells, cells), 2.0, reach=5)((xy + map_offset - map_offset * stride) / stride, valid)
    np.testing.assert_allclose(in_graph, host, rtol=0, atol=2e-3)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 0.0])
def test_what_stands_for_a_missing_coordinate_does_not_matter(
    network: PoseFixNano, feeds: dict[str, NDArray[Any]], odd: float
) -> None:
    before = refined(network, feeds)
    feeds["coordinates"][feeds["validity"] == 0] = odd
    for was, now in zip(before, refined(network, feeds)):
        np.testing.assert_array_equal(was, now)


def test_soft_argmax_in_the_graph_is_the_host_s() -> None:
    logits = torch.randn(N, K, 12, 9) * 5
    xy, confidence = SoftArgmax(Gaussians(CellGrid(4, 0.5), 5.0))(logits)
    np.testing.assert_allclose(xy.numpy(), HostSoftArgmax((9, 12))(logits.numpy()) * 4 + 1.5, rtol=0, atol=1e-3)
    assert ((confidence > 0) & (confidence <= 1)).all()


def test_a_sharp_peak_is_sure_and_two_peaks_or_none_are_not() -> None:
    logits = torch.zeros(1, 3, 32, 32)
    logits[0, 0, 5, 7] = 50
    logits[0, 1, 5, 7] = logits[0, 1, 25, 20] = 50
    xy, confidence = SoftArgmax(Gaussians(CellGrid(4, 0.0), 5.0))(logits)
    assert xy[0, 0].tolist() == pytest.approx([28, 20], abs=1e-3)
    assert confidence[0, 0] == pytest.approx(1, abs=1e-3)
    assert (confidence[0, 1:] < 0.1).all()


def test_the_exported_graph_is_the_network(network: PoseFixNano, feeds: dict[str, NDArray[Any]]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the classic exporter says that it is old
        torch.onnx.export(
            CropRefiner(network).eval(),
            tuple(torch.from_numpy(array[:1]) for array in feeds.values()),
            file,
            dynamo=False,
            opset_version=17,
            input_names=list(feeds),
            output_names=["refined", "confidence"],
            dynamic_axes={name: {0: "n"} for name in (*feeds, "refined", "confidence")},
        )
    session = onnxruntime.InferenceSession(file.getvalue())
    coordinates, confidence = session.run(None, feeds)
    assert coordinates.shape == (N, K, 2)
    assert confidence.shape == (N, K)
    expected = refined(network, feeds)
    np.testing.assert_allclose(coordinates, expected[0], rtol=0, atol=2e-3)
    np.testing.assert_allclose(confidence, expected[1], rtol=0, atol=1e-4)


def test_an_untrained_refiner_does_not_see_the_pose(feeds: dict[str, NDArray[Any]]) -> None:
    """So a pretrained trunk starts with what it knows."""
    network = PoseFixNano(K, trunk_channels=8).eval()
    before = refined(network, feeds)[0]
    feeds["coordinates"] += 10
    np.testing.assert_array_equal(before, refined(network, feeds)[0])


def test_nano_keeps_to_its_budget() -> None:
    assert sum(p.numel() for p in PoseFixNano(K).parameters()) < 0.5e6


def test_the_published_network_has_its_shape() -> None:
    variant = PoseFixVariant(depth=50, width=192)
    network = variant.build()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(34.0e6, rel=0.01)
    assert network.trunk[0].weight.shape == (64, 20, 7, 7)
    with torch.no_grad():
        xy, confidence = network(torch.zeros(1, 3, 256, 192), torch.zeros(1, K, 2), torch.ones(1, K))
    assert (xy.shape, confidence.shape) == ((1, K, 2), (1, K))
    network.train()
    assert network(torch.zeros(2, 3, 64, 64), torch.zeros(2, K, 2), torch.ones(2, K)).shape == (2, K, 16, 16)


def test_a_refiner_s_spec_names_its_inputs() -> None:
    content = PoseFixVariant().spec().model_dump(exclude={"refiner"})
    with pytest.raises(ValueError, match=r"needs a \[refiner\] table"):
        ModelSpec.model_validate(content)


@pytest.mark.parametrize(("width", "height"), [(288, 384), (192, 256)])
def test_the_published_networks_describe_themselves(width: Any, height: int) -> None:
    spec = PoseFixVariant(152, width).spec()
    assert (spec.input.width, spec.input.height) == (width, height)
    assert spec.input.mean == (123.68, 116.78, 103.94)
    assert spec.refiner is not None
    assert (spec.refiner.coordinates, spec.refiner.validity) == ("coordinates", "validity")
