"""Half bodies and poses with parts left out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.skeleton import COCO17, HAND21
from trt_pose_app.training.half_body import has_legs, legs_box, shorten_legs
from trt_pose_app.training.joint_dropout import drop_joints

LEFT_HIP, LEFT_KNEE, LEFT_ANKLE = 11, 13, 15


def test_both_segments_of_a_leg_are_shortened_and_nothing_else_moves() -> None:
    pose = np.random.default_rng(0).uniform(0, 100, (17, 2)).astype(np.float32)
    short = shorten_legs(pose, COCO17)
    np.testing.assert_array_equal(short[:13], pose[:13])
    for upper, lower in ((LEFT_HIP, LEFT_KNEE), (LEFT_KNEE, LEFT_ANKLE)):
        np.testing.assert_allclose(short[lower] - short[upper], 0.8 * (pose[lower] - pose[upper]), rtol=1e-4, atol=1e-4)


def test_the_covered_box_holds_the_labelled_knees_and_ankles() -> None:
    pose = np.zeros((17, 2))
    pose[LEFT_KNEE], pose[LEFT_ANKLE] = (10, 20), (30, 60)
    labelled = np.isin(np.arange(17), (LEFT_KNEE, LEFT_ANKLE))
    assert legs_box(pose, labelled, COCO17) == (6, 16, 34, 64)
    assert legs_box(pose, np.zeros(17, np.bool_), COCO17) is None


def test_only_bodies_have_legs() -> None:
    assert has_legs(COCO17)
    assert not has_legs(HAND21)


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(0, 17))
def test_dropout_takes_parts_away_but_never_the_last(seed: int, most: float, n_valid: int) -> None:
    valid = np.arange(17) < n_valid
    kept = drop_joints(valid, most, np.random.default_rng(seed))
    assert not (kept & ~valid).any()
    assert kept.any() == valid.any()
