"""OpenPose's network against its published parameters, layers and spellings of names."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from trt_pose_app.errors import ModelNotFoundError, ModelSpecError  # noqa: E402
from trt_pose_app.networks import rtmpose  # noqa: E402
from trt_pose_app.networks.openpose_vgg import (  # noqa: E402
    OpenPoseVgg,
    OpenPoseVggVariant,
    identify,
    rename,
    start_from_vgg19,
)


@pytest.fixture(scope="module")
def network() -> Any:
    return OpenPoseVggVariant().build()


@pytest.fixture(scope="module")
def own(network: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def test_parameters_and_tensors_are_as_published(network: Any, own: dict[str, Any]) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 52_311_446
    assert len(own) == 184


# Parameters as in the public summary of the network.
@pytest.mark.parametrize(
    ("layer", "count"),
    [
        ("model0.0", 1_792),
        ("model0.23", 1_179_904),
        ("model0.25", 295_040),
        ("model1_1.8", 19_494),
        ("model2_1.0", 1_160_448),
        ("model6_2.2", 802_944),
        ("model6_1.10", 16_512),
        ("model6_1.12", 4_902),
        ("model6_2.12", 2_451),
    ],
)
def test_layers_are_as_published(network: Any, layer: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in network.get_submodule(layer).parameters()) == count


@pytest.mark.shared
@pytest.mark.parametrize("spelling", ["tensorboy", "ogawa"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_both_public_spellings_are_read(shared: Path, own: dict[str, Any], spelling: str, prefix: str) -> None:
    keys = json.loads((shared / "golden/training/openpose_statedict_keys.json").read_text())[spelling]
    theirs = {prefix + key["key"]: tuple(key["shape"]) for key in keys}
    assert identify(theirs) == OpenPoseVggVariant()
    assert {ours: theirs[key] for key, ours in rename(theirs).items()} == own


def test_other_names_are_read_by_position(own: dict[str, Any]) -> None:
    renamed = {f"net.{number}": shape for number, shape in enumerate(own.values())}
    assert identify(renamed) == OpenPoseVggVariant()
    assert list(rename(renamed).values()) == list(own)


def test_names_win_over_position(own: dict[str, Any]) -> None:
    backwards = dict(reversed(own.items()))
    assert rename(backwards) == {key: key for key in own}


@pytest.mark.parametrize("other", [{}, {"conv1.weight": (64, 3, 7, 7)}])
def test_other_networks_are_none_of_ours(other: dict[str, tuple[int, ...]]) -> None:
    assert identify(other) is None


def test_rtmpose_is_none_of_ours() -> None:
    state = rtmpose.RtmPoseVariant("t", 17, 192, 256).build().state_dict()
    assert identify({key: tuple(tensor.shape) for key, tensor in state.items()}) is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state | {"model1_1.8.weight": (28, 512, 1, 1)}, r"model1_1\.8\.weight is \(28, 512, 1, 1\)"),
        (lambda state: {key: state[key] for key in list(state)[1:] if key != "model3_1.0.bias"}, "is missing"),
        (lambda state: state | {"model7_1.0.weight": (128, 185, 7, 7)}, r"model7_1\.0\.weight is unknown"),
    ],
    ids=["another shape", "two missing", "one more"],
)
def test_differences_are_told(own: dict[str, Any], change: Callable[[Any], Any], complaint: str) -> None:
    with pytest.raises(ModelSpecError, match=complaint):
        rename(change(own))


@pytest.mark.parametrize(
    ("preprocessing", "colour", "white"),
    [("vgg", "rgb", 2.2489), ("rtpose", "bgr", 255 / 256 - 0.5)],
)
def test_spec_of_both_preprocessings(preprocessing: Any, colour: str, white: float) -> None:
    spec = dataclasses.replace(OpenPoseVggVariant(), preprocessing=preprocessing).spec()
    assert (spec.skeleton, spec.input.colour, spec.input.width) == ("openpose18", colour, 368)
    assert (255 - spec.input.mean[0]) / spec.input.std[0] == pytest.approx(white, abs=1e-4)
    assert spec.paf is not None
    limbs = spec.build_skeleton().limbs
    attach_only = [limbs[limb] for limb in spec.paf.attach_only_limbs]
    assert [[spec.build_skeleton().parts[part] for part in limb] for limb in attach_only] == [
        ["right_shoulder", "right_ear"],
        ["left_shoulder", "left_ear"],
    ]


def test_maps_are_an_eighth_of_the_picture_and_each_stage_gives_a_pair() -> None:
    network = OpenPoseVgg(narrow=16)
    pictures = torch.zeros(2, 3, 64, 96)
    stages = network.train()(pictures)
    assert [(tuple(cmap.shape), tuple(paf.shape)) for cmap, paf in stages] == [((2, 19, 8, 12), (2, 38, 8, 12))] * 6
    cmap, paf = network.eval()(pictures)
    torch.testing.assert_close((cmap, paf), stages[-1])


def test_imagenet_fills_the_first_ten_convolutions(tmp_path: Path) -> None:
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        vgg = torchvision.models.vgg19()
    features = {key: tensor for key, tensor in vgg.state_dict().items() if key.startswith("features.")}
    generator = torch.Generator().manual_seed(0)
    weights = {key: torch.rand(tensor.shape, generator=generator) for key, tensor in features.items()}
    torch.save(weights, tmp_path / "vgg19.pth")
    network = OpenPoseVgg()
    own_layer = network.model0[23].weight.clone()
    start_from_vgg19(network, tmp_path / "vgg19.pth")
    assert [tuple(layer.weight.shape[:2]) for layer in network.vgg_layers()][-1] == (512, 512)
    indices = [i for i, layer in enumerate(network.model0) if isinstance(layer, nn.Conv2d)][:10]
    for index, layer in zip(indices, network.vgg_layers()):
        torch.testing.assert_close(layer.weight.data, weights[f"features.{index}.weight"])
        torch.testing.assert_close(layer.bias.data, weights[f"features.{index}.bias"])
    torch.testing.assert_close(network.model0[23].weight, own_layer)


def test_a_wrong_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="cannot get VGG19"):
        start_from_vgg19(OpenPoseVgg(narrow=16), tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelSpecError, match="no state dict"):
        start_from_vgg19(OpenPoseVgg(narrow=16), tmp_path / "text.pth")
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelSpecError, match=r"features\.0\.weight is \(1,\)"):
        start_from_vgg19(OpenPoseVgg(narrow=16), tmp_path / "other.pth")


def test_onnx_equals_torch_for_any_batch(exported: Callable[..., Any], run_onnx: Callable[..., Any]) -> None:
    network = OpenPoseVgg(narrow=8).eval()
    for parameter in network.parameters():
        parameter.data.mul_(10)  # from the tiny weights that training starts with to ones that make a difference
    pictures = np.random.default_rng(0).normal(size=(2, 3, 64, 96)).astype(np.float32)
    model = exported(network, torch.from_numpy(pictures[:1]), ["cmap", "paf"])
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures))
    for ours, theirs in zip(run_onnx(model, pictures), expected):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4 * float(theirs.abs().max()))
    assert {node.op_type for node in model.graph.node} <= {"Conv", "Relu", "MaxPool", "Concat", "Identity"}
