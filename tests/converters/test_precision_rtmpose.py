"""RTMPose in half numbers: its norm overflows where nobody looks after it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converters.precision import emulate_half, kept_layers, to_fp16
from converters.precision.feeds import Feeds
from converters.precision.fp16 import write_half
from converters.precision.plain_graph import plain
from converters.precision.session import Session
from trt_pose_app.models.spec import ModelSpec

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.shared

SCALE = 400.0  # of the head's activations, in published networks they reach some tens
PICTURES = [np.random.default_rng(i).integers(0, 256, (256, 192, 3), np.uint8) for i in range(2)]


def mmpose_scale_norm(self: Any, x: Any) -> Any:
    """The norm as mmpose exports it: a plain Euclidean length."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * x.shape[-1] ** -0.5
    return x / length.clamp(min=1e-5) * self.g


@pytest.fixture(params=["ours", "mmpose"])
def exported(request: Any, shared: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[onnx.ModelProto, ModelSpec]:
    """RTMPose-t with weights from their names, its norms fed with numbers ``SCALE`` times as large."""
    from converters.export import export_onnx
    from trt_pose_app.networks.gated_attention import ScaleNorm
    from trt_pose_app.networks.rtmpose import RtmPoseVariant

    location = importlib.util.spec_from_file_location("detfill", shared / "golden/rtmpose/detfill.py")
    assert location is not None
    assert location.loader is not None
    detfill = importlib.util.module_from_spec(location)
    location.loader.exec_module(detfill)
    if request.param == "mmpose":
        monkeypatch.setattr(ScaleNorm, "forward", mmpose_scale_norm)
    variant = RtmPoseVariant("t", 17, 192, 256)
    network = variant.build()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    weights = detfill.fill_state_dict(shapes, detfill.GAIN["rtmpose-t"])
    weights = {name: torch.from_numpy(array) for name, array in weights.items()}
    network.load_state_dict(weights, strict=True)
    handles = [
        module.register_forward_pre_hook(lambda _, inputs: (inputs[0] * SCALE,))
        for module in network.modules()
        if isinstance(module, ScaleNorm)
    ]
    try:
        return export_onnx(network, variant.spec(), batch=1), variant.spec()
    finally:
        for handle in handles:
            handle.remove()


def test_activations_that_overflow_a_naive_norm_stay_finite_and_agree(
    exported: tuple[onnx.ModelProto, ModelSpec],
) -> None:
    model, spec = exported
    half, _ = to_fp16(model, spec, PICTURES)
    feed = Feeds(model, spec, PICTURES)[1]
    names = list(spec.outputs.values())
    expected, found, naive = (
        Session(one).run(names, feed) for one in (model, emulate_half(half), emulate_half(write_half(plain(model), {})))
    )
    plain_norm = any(node.op_type == "ReduceL2" for node in model.graph.node)
    for name in names:
        spread = float(np.ptp(expected[name]))
        assert np.isfinite(found[name]).all()
        np.testing.assert_allclose(found[name], expected[name], atol=0.02 * spread)
        assert (found[name].argmax(axis=2) == expected[name].argmax(axis=2)).mean() > 0.8
        if plain_norm:
            wrong = np.abs(naive[name] - expected[name]).max() / spread
            assert not wrong < 0.1, "without the keep-list the norm is lost"
    if plain_norm:
        assert "ReduceL2" in {layer.operator for layer in kept_layers(half)}
    assert len(kept_layers(half)) < 0.1 * len(half.graph.node)
