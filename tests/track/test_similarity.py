"""How alike two people are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.people import people_at
from trt_pose_app.skeleton import COCO17
from trt_pose_app.track.similarity import box_overlap, near, similarity

VARIANCE = (2 * np.asarray(COCO17.sigmas, np.float32)) ** 2


def alike(moved_px: float, *, missing: slice = slice(0), size_px: float = 200) -> float:
    one, other = people_at((200, 200), size_px=size_px), people_at((200 + moved_px, 200), size_px=size_px)
    xy = other.xy.copy()
    xy[0, missing] = np.nan
    return float(similarity(one.xy, xy, one.box, other.box, VARIANCE[None] * (0.6 * size_px) ** 2)[0])


def test_the_same_person_is_alike_by_1_and_the_farther_the_less():
    values = [alike(moved) for moved in (0, 2, 10, 40, 400)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0


def test_likeness_does_not_depend_on_size():
    assert alike(10, size_px=200) == pytest.approx(alike(20, size_px=400), abs=1e-3)


def test_without_a_shared_keypoint_the_boxes_decide():
    assert alike(0, missing=slice(17)) == pytest.approx(1)
    assert 0 < alike(30, missing=slice(17)) < 1


def test_one_shared_keypoint_does_not_make_two_people_one():
    one, other = people_at((200, 200)), people_at((400, 200))
    xy = other.xy.copy()
    xy[0, 1:], xy[0, 0] = np.nan, one.xy[0, 0]
    assert similarity(one.xy, xy, one.box, other.box, VARIANCE[None] * 1e4)[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10, 10), 1),
        ((5, 0, 15, 10), 1 / 3),
        ((10, 0, 20, 10), 0),  # only an edge
        ((3, 3, 3, 3), 0),  # no area
    ],
)
def test_overlap_of_boxes(other: tuple[float, ...], expected: float):
    box = np.array([(0, 0, 10, 10)], np.float32)
    assert box_overlap(box, np.array([other], np.float32))[0] == pytest.approx(expected)


def test_near_boxes_are_those_within_reach():
    box = np.array([(0, 0, 10, 10), (100, 0, 110, 10)], np.float32)
    others = np.array([(14, 0, 20, 10), (0, 16, 10, 20)], np.float32)
    rows, columns = near(box, others, np.array([5, 200], np.float32))
    assert list(zip(rows.tolist(), columns.tolist())) == [(0, 0), (1, 0), (1, 1)]
