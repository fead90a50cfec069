"""Lightweight OpenPose: the author's names, and Intel's trained network against its ONNX file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trt_pose_app.errors import ModelSpecError  # noqa: E402
from trt_pose_app.networks import openpose_vgg, rtmdet  # noqa: E402
from trt_pose_app.networks.openpose_intel import load_intel  # noqa: E402
from trt_pose_app.networks.openpose_lightweight import (  # noqa: E402
    LightweightOpenPose,
    LightweightOpenPoseVariant,
    identify,
)


def shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


@pytest.mark.shared
@pytest.mark.parametrize("n_refinements", [1, 3])
def test_tensors_are_named_and_ordered_as_the_authors(shared: Path, n_refinements: int) -> None:
    facts = json.loads((shared / f"golden/training/lightweight_openpose_statedict_{n_refinements}ref.json").read_text())
    theirs = {key["key"]: tuple(key["shape"]) for key in facts["keys"]}
    variant = identify(theirs)
    assert variant == LightweightOpenPoseVariant(n_refinements)
    network = variant.build()
    assert list(shapes(network).items()) == list(theirs.items())
    assert sum(parameter.numel() for parameter in network.parameters()) == facts["params"]


def test_a_state_dict_tells_its_variant() -> None:
    for variant in (LightweightOpenPoseVariant(2), LightweightOpenPoseVariant(1, intel=True)):
        assert identify(shapes(variant.build())) == variant
    assert identify({}) is None
    assert identify(shapes(rtmdet.RtmDetVariant("nano").build())) is None
    assert openpose_vgg.identify(shapes(LightweightOpenPose())) is None


def test_other_keypoints_are_refused() -> None:
    with pytest.raises(ModelSpecError, match="15 confidence maps and 26 PAF channels"):
        identify(shapes(LightweightOpenPose(n_parts=14, n_limbs=13)))


def test_spec() -> None:
    spec = LightweightOpenPoseVariant(1).spec()
    assert (spec.name, spec.skeleton, spec.input.colour) == ("openpose-lightweight", "openpose18", "bgr")
    assert (spec.input.mean[0], spec.input.std[0], spec.input.multiple_of) == (128, 256, 8)
    assert LightweightOpenPoseVariant(3).spec().name == "openpose-lightweight-3-refinements"


def test_training_gives_a_pair_per_stage_and_evaluation_the_last() -> None:
    network = LightweightOpenPose(2).eval()
    pictures = torch.zeros(1, 3, 32, 48)
    cmap, paf = network(pictures)
    assert (tuple(cmap.shape), tuple(paf.shape)) == ((1, 19, 4, 6), (1, 38, 4, 6))
    assert len(network.train()(pictures)) == 3


@pytest.mark.shared
def test_intels_network_equals_its_onnx_file(shared: Path) -> None:
    import onnxruntime

    path = shared / "weights/openpose-lightweight.onnx"
    network = load_intel(path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 128)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    expected = session.run(["Mconv7_stage2_L2", "Mconv7_stage2_L1"], {"data": pixels})
    with torch.no_grad():
        found = network(torch.from_numpy((pixels - 128) / 256))
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3)
        assert np.abs(theirs).max() > 0.05  # the maps do hold something


def test_another_file_is_no_intel_network(tmp_path: Path) -> None:
    with pytest.raises(ModelSpecError, match="cannot read"):
        load_intel(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_bytes(b"\xff no protobuf")
    with pytest.raises(ModelSpecError, match="cannot read"):
        load_intel(tmp_path / "text.onnx")


@pytest.mark.shared
def test_a_network_of_other_layers_is_refused(shared: Path) -> None:
    with pytest.raises(ModelSpecError, match="convolutions, not"):
        load_intel(shared / "weights/rtmdet-nano-person.onnx")


def test_onnx_equals_torch_for_any_batch(exported: Callable[..., Any], run_onnx: Callable[..., Any]) -> None:
    network = LightweightOpenPose(1).eval()
    pictures = np.random.default_rng(0).normal(size=(2, 3, 32, 48)).astype(np.float32)
    model = exported(network, torch.from_numpy(pictures[:1]), ["cmap", "paf"])
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures))
    for ours, theirs in zip(run_onnx(model, pictures), expected):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    assert {node.op_type for node in model.graph.node} <= {"Conv", "Relu", "Elu", "Add", "Concat", "Identity"}
