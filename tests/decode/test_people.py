"""Who counts as a person: scores, thresholds, and people found twice."""

from __future__ import annotations

import numpy as np
import pytest

from trt_pose_app.decode.people import PeopleParams, people_in_boxes, select_people
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Poses

THREE = Skeleton("three", ("a", "b", "c"), (), (0, 1, 2), (0.1, 0.1, 0.1))
BOX = (0.0, 0.0, 100.0, 100.0)


def people(
    *rows: tuple[float, tuple[float, float, float], float], box_score: float = 1.0, peak_threshold: float = 0.0
) -> Poses:
    """Return people (shift in px, keypoint scores, box score) whose keypoints lie on a diagonal."""
    diagonal = np.array([[10, 10], [50, 50], [90, 90]], np.float32)
    xy = np.array([diagonal + shift for shift, _, _ in rows], np.float32).reshape(-1, 3, 2)
    score = np.array([score for _, score, _ in rows], np.float32).reshape(-1, 3)
    xy[score == 0] = np.nan
    boxes = np.array([BOX] * len(rows), np.float32).reshape(-1, 4)
    found = people_in_boxes(xy, score, boxes, np.array([b for *_, b in rows], np.float32), THREE, peak_threshold)
    # The checks of the constructor hold for what is built without them.
    return Poses(found.xy, found.score, found.person, found.box, found.track, found.skeleton)


@pytest.mark.parametrize(
    ("scores", "box_score", "peak_threshold", "person"),
    [
        ((0.5, 0.5, 0.8), 1.0, 0.0, 0.6),
        ((0.5, 0.5, 0.8), 0.5, 0.0, 0.3),
        ((0.5, 0.5, 0.0), 1.0, 0.0, 0.5),  # a missing keypoint does not count
        ((0.1, 0.5, 0.5), 1.0, 0.2, 0.5),  # nor one below the threshold
        ((0.0, 0.0, 0.0), 1.0, 0.0, 0.0),
        ((1.0, 1.0, 1.0), 7.0, 0.0, 1.0),  # odd scores of boxes stay in range
    ],
)
def test_a_person_s_score(
    scores: tuple[float, float, float], box_score: float, peak_threshold: float, person: float
) -> None:
    found = people((0, scores, box_score), peak_threshold=peak_threshold)
    assert found.person[0] == pytest.approx(person)
    assert (found.score[0] > 0).sum() == sum(s > 0 and s >= peak_threshold for s in scores)


def test_the_best_person_comes_first_with_its_box_and_nobody_is_dropped() -> None:
    found = people((0, (0.1,) * 3, 0.2), (5, (0.9,) * 3, 0.9), (9, (0.5,) * 3, 0.9))
    np.testing.assert_allclose(found.person, [0.81, 0.45, 0.02], atol=1e-6)
    np.testing.assert_allclose(found.xy[:, 0, 0], [15, 19, 10])


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({}, 3),
        ({"min_person_score": 0.5}, 2),
        ({"min_keypoints": 3}, 2),
        ({"max_people": 1}, 1),
        ({"min_person_score": 0.95}, 0),
    ],
)
def test_thresholds(params: dict[str, float], left: int) -> None:
    found = people((0, (0.9,) * 3, 1), (300, (0.8, 0.8, 0), 1), (600, (0.3,) * 3, 1))
    every = {"peak_threshold": 0.0, "min_keypoints": 1, "min_person_score": 0.0}
    kept = select_people(found, PeopleParams(**{**every, **params}))  # type: ignore[arg-type]
    assert kept.person.tolist() == found.person[: len(kept)].tolist() or params == {"min_keypoints": 3}
    assert len(kept) == left


@pytest.mark.parametrize(("shift", "people_left"), [(0, 1), (3, 1), (60, 2)])
def test_one_person_in_two_boxes_is_one_person(shift: float, people_left: int) -> None:
    found = people((0, (0.9,) * 3, 0.9), (shift, (0.8,) * 3, 0.8))
    kept = select_people(found, PeopleParams())
    assert len(kept) == people_left
    assert kept.person[0] == pytest.approx(0.81)
    assert len(select_people(found, PeopleParams(pose_nms=1.0))) == 2


def test_nobody() -> None:
    assert len(select_people(people(), PeopleParams())) == 0
