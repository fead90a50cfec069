"""People out of a network's own peaks and limb scores: compiled and in numpy, whatever the network says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trt_pose_app.decode.fused import FusedDecoder
from trt_pose_app.decode.paf import PafLayout, PafParams, native_available
from trt_pose_app.errors import ConfigError, DecodeError
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import COCO18, Skeleton
from trt_pose_app.types import Poses

Floats = NDArray[np.float32]

CHAIN = Skeleton("chain", ("a", "b", "c"), ((0, 1), (1, 2)), (0, 1, 2))
LAYOUT = PafLayout(CHAIN.limbs, stride=8, map_offset=0.5)
GEOMETRY = Geometry.stretch((80, 80), (80, 80))
ODD = [np.nan, np.inf, -np.inf, 3e38, -1.0, 1e-42, 0.0, 0.5, 1.0, 40000.0]

implementations = pytest.mark.parametrize(
    "native",
    [
        pytest.param(True, marks=pytest.mark.skipif(not native_available(), reason="the extension is not built")),
        False,
    ],
)


def tables(*parts: list[tuple[float, float, float]], ranks: int = 4) -> dict[str, Floats]:
    """Outputs of one frame: for each part its peaks (x, y, score), and a link of 0.9 between peaks of equal rank."""
    peaks = np.zeros((1, len(parts), ranks, 5), np.float32)
    for part, found in enumerate(parts):
        for rank, (x, y, score) in enumerate(found):
            peaks[0, part, rank] = x, y, score, round(x), round(y)
    limbs = np.tile(0.9 * np.eye(ranks, dtype=np.float32), (1, len(CHAIN.limbs), 1, 1))
    return {"peaks": peaks, "limbs": limbs}


def decode(outputs: dict[str, Floats], native: bool, **params: Any) -> Poses:
    return FusedDecoder(CHAIN, LAYOUT, PafParams(**params), native=native).decode(outputs, [GEOMETRY])[0]


@implementations
def test_two_people_in_pixels_best_first(native: bool) -> None:
    poses = decode(tables([(1, 1, 0.5), (7, 1, 1)], [(1.25, 4, 0.5), (7, 4.5, 1)], [(1, 8, 0.5), (7, 8, 1)]), native)
    np.testing.assert_allclose(poses.xy[:, 1], [[7 * 8 + 3.5, 4.5 * 8 + 3.5], [1.25 * 8 + 3.5, 4 * 8 + 3.5]])
    np.testing.assert_allclose(poses.score, [[1, 1, 1], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(poses.person, np.sqrt([0.9, 0.45]), atol=1e-6)
    np.testing.assert_allclose(poses.box[0], [59.5, 11.5, 59.5, 67.5])


@implementations
@pytest.mark.parametrize(
    ("params", "people"),
    [
        pytest.param({}, 2, id="both"),
        pytest.param({"peak_threshold": 0.6}, 1, id="a higher threshold needs no new conversion"),
        pytest.param({"max_peaks": 1}, 1, id="fewer peaks than the network lists"),
        pytest.param({"max_people": 1}, 1, id="fewer people"),
        pytest.param({"min_person_score": 0.8}, 1, id="sure people only"),
        pytest.param({"min_keypoints": 4}, 0, id="more keypoints than there are"),
    ],
)
def test_thresholds_are_the_hosts(native: bool, params: dict[str, Any], people: int) -> None:
    outputs = tables([(1, 1, 0.5), (7, 1, 1)], [(1, 4, 0.5), (7, 4, 1)], [(1, 8, 0.5), (7, 8, 1)])
    assert len(decode(outputs, native, **params)) == people


@implementations
def test_a_plateau_is_one_peak_at_its_centre(native: bool) -> None:
    outputs = tables([(1, 1, 0.5)], [(3, 4, 0.5), (2, 4, 0.5), (1, 4, 0.5)], [(1, 8, 0.5)])
    outputs["limbs"][:] = 0.9
    poses = decode(outputs, native, min_keypoints=1, min_person_score=0)
    assert len(poses) == 1
    np.testing.assert_allclose(poses.xy[0, 1], [2 * 8 + 3.5, 4 * 8 + 3.5])


@implementations
@pytest.mark.parametrize(
    ("column", "value"),
    [(0, np.nan), (1, np.inf), (2, np.nan), (2, np.inf), (2, 0), (2, -1), (3, np.nan), (4, -5), (0, 1e30)],
)
def test_what_is_no_peak_is_left_out(native: bool, column: int, value: float) -> None:
    outputs = tables([(1, 1, 0.5)], [(1, 4, 0.5)], [(1, 8, 0.5)])
    outputs["peaks"][0, 2, 0, column] = value
    poses = decode(outputs, native, min_keypoints=2, min_person_score=0)
    np.testing.assert_array_equal(poses.score > 0, [[True, True, False]])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Skeleton, PafLayout, PafParams, dict[str, Floats], int]:
    k_parts, ranks, batch = draw(st.integers(2, 5)), draw(st.integers(0, 9)), draw(st.integers(1, 2))
    pairs = [(a, b) for a in range(k_parts) for b in range(k_parts) if a != b]
    limbs = tuple(draw(st.lists(st.sampled_from(pairs), max_size=6)))
    attach_only = tuple(i for i in range(len(limbs)) if draw(st.integers(0, 3)) == 0)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = rng.integers(0, 6, (batch, k_parts, ranks, 2))
    score = np.round(rng.uniform(-0.2, 1.2, (batch, k_parts, ranks, 1)), draw(st.sampled_from([1, 8])))
    peaks = np.concatenate([cells + rng.uniform(-0.5, 0.5, cells.shape), score, cells], axis=-1)
    means = np.round(rng.uniform(-0.5, 1, (batch, len(limbs), ranks, ranks)), draw(st.sampled_from([1, 8])))
    if draw(st.booleans()):
        peaks = np.where(rng.random(peaks.shape) < 0.05, rng.choice(ODD, peaks.shape), peaks)
        means = np.where(rng.random(means.shape) < 0.2, rng.choice(ODD, means.shape), means)
    params = PafParams(
        peak_threshold=draw(st.sampled_from([0, 0.1, 0.5])),
        max_peaks=draw(st.integers(1, 12)),
        max_people=draw(st.integers(1, 30)),
        min_keypoints=draw(st.integers(1, 3)),
        min_person_score=draw(st.sampled_from([0, 0.2, 0.5])),
    )
    skeleton = Skeleton("any", tuple(map(str, range(k_parts))), limbs, tuple(range(k_parts)))
    outputs = {"peaks": peaks.astype(np.float32), "limbs": means.astype(np.float32)}
    return skeleton, PafLayout(limbs, stride=1, map_offset=0, attach_only_limbs=attach_only), params, outputs, batch


@pytest.mark.skipif(not native_available(), reason="the extension is not built")
@settings(max_examples=300, deadline=None)
@given(cases())
def test_both_agree_and_give_valid_poses(case: tuple[Any, ...]) -> None:
    skeleton, layout, params, outputs, batch = case
    compiled, reference = (
        FusedDecoder(skeleton, layout, params, native=native).decode(outputs, [GEOMETRY] * batch)
        for native in (True, False)
    )
    for one, other in zip(compiled, reference):
        assert len(one) == len(other) <= params.max_people
        np.testing.assert_allclose(one.xy, other.xy, atol=1e-3)
        np.testing.assert_allclose(one.score, other.score, atol=1e-6)
        np.testing.assert_allclose(one.person, other.person, atol=1e-6)
        Poses(one.xy, one.score, one.person, one.box, one.track, skeleton)  # validates


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"peaks": None}, "no output 'peaks'", id="missing"),
        pytest.param({"peaks": np.zeros((1, 3, 4, 5), np.float16)}, "peaks is float16", id="half coordinates"),
        pytest.param({"limbs": [[0.0]]}, "limbs is list", id="no array"),
        pytest.param({"peaks": np.zeros((1, 18, 4, 5), np.float32)}, "peaks has the shape", id="parts"),
        pytest.param({"peaks": np.zeros((1, 3, 4, 3), np.float32)}, "peaks has the shape", id="facts"),
        pytest.param({"peaks": np.zeros((3, 4, 5), np.float32)}, "peaks has the shape", id="axes"),
        pytest.param({"limbs": np.zeros((1, 2, 4, 3), np.float32)}, "limbs has the shape", id="ranks"),
        pytest.param({"limbs": np.zeros((2, 2, 4, 4), np.float32)}, "limbs has the shape", id="batch"),
    ],
)
def test_other_arrays_are_refused(change: dict[str, Any], complaint: str) -> None:
    outputs = {**tables([], [], []), **change}
    outputs = {name: array for name, array in outputs.items() if array is not None}
    with pytest.raises(DecodeError, match=complaint):
        decode(outputs, native=False)


def test_the_limbs_must_be_the_skeletons() -> None:
    with pytest.raises(ConfigError, match="beyond the 3 of chain"):
        FusedDecoder(CHAIN, PafLayout(COCO18.limbs), native=False)
