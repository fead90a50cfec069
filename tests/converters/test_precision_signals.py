"""The quality of an int8 network is that of what its outputs say about people."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from converters.precision.signals import signals_of
from tests.converters.networks import small_spec
from trt_pose_app.models.spec import ModelSpec


def detector(outputs: dict[str, str]) -> ModelSpec:
    facts = small_spec().model_dump() | {"kind": "detector", "skeleton": None, "paf": None, "outputs": outputs}
    return ModelSpec.model_validate(facts | {"detector": {"format": "rtmdet", "strides": (8, 16)}})


def level(side: int, *, logit: float, distance: float) -> np.ndarray:
    return np.concatenate([np.full((1, side, side, 1), logit), np.full((1, side, side, 4), distance)], axis=3)


def test_of_a_pose_network_everything_counts_but_the_background() -> None:
    maps = {"cmap": np.ones((1, 18, 2, 3), np.float32), "paf": np.ones((1, 42, 2, 3), np.float32)}
    assert {name: values.shape for name, values in signals_of(small_spec(), maps).items()} == {
        "cmap": (1, 18, 2, 3), "paf": (1, 42, 2, 3),
    }  # fmt: skip
    spec = small_spec(paf={"stride": 4, "component_order": "yx", "background_channel": 17})
    assert signals_of(spec, maps)["cmap"].shape == (1, 17, 2, 3)


def test_a_detector_s_boxes_count_as_far_as_somebody_is_in_them() -> None:
    spec = detector({"level8": "a", "level16": "b"})
    found = signals_of(spec, {"a": level(4, logit=-20, distance=300), "b": level(2, logit=20, distance=50)})
    assert found["score"] == pytest.approx([0] * 16 + [1] * 4, abs=1e-6)
    assert found["boxes"] == pytest.approx([0] * 64 + [50] * 16, abs=1e-3)


def test_heads_in_one_tensor_or_in_two_mean_the_same() -> None:
    rng = np.random.default_rng(1)
    levels = {8: rng.normal(size=(1, 4, 4, 5)), 16: rng.normal(size=(1, 2, 2, 5))}
    one = signals_of(detector({f"level{s}": f"level{s}" for s in levels}), {f"level{s}": v for s, v in levels.items()})
    heads = {f"class{s}": v[..., :1].transpose(0, 3, 1, 2) for s, v in levels.items()}
    heads |= {f"box{s}": v[..., 1:].transpose(0, 3, 1, 2) for s, v in levels.items()}
    two = signals_of(detector({name: name for name in heads}), heads)
    for name in ("score", "boxes"):
        np.testing.assert_allclose(one[name], two[name])
