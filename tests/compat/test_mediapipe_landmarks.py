"""The 33 landmarks of people with 17, 18, 26 and 133 keypoints."""

from __future__ import annotations

import numpy as np
import pytest

from trt_pose_app.compat.mediapipe.landmark_table import parts_of_landmarks
from trt_pose_app.compat.mediapipe.landmarks import landmarks_of
from trt_pose_app.compat.mediapipe.pose_landmark import PoseLandmark
from trt_pose_app.skeleton import COCO17, COCO18, COCO133, HALPE26, HAND21, OPENPOSE18, Skeleton
from trt_pose_app.types import Poses

# MediaPipe's landmark for each of COCO's keypoints.
FROM_COCO17 = dict(enumerate((0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)))
FROM_HALPE26 = FROM_COCO17 | {24: 29, 25: 30, 20: 31, 21: 32}
FROM_COCO133 = FROM_COCO17 | {
    77: 9, 71: 10, 108: 17, 96: 19, 94: 21, 129: 18, 117: 20, 115: 22, 19: 29, 22: 30, 17: 31, 20: 32,
}  # fmt: skip


def person(skeleton: Skeleton, missing: tuple[str, ...] = ()) -> Poses:
    """Return one person whose keypoint k is at (10 k, 5 k) with the score 0.5 + k / 1000."""
    k = np.arange(len(skeleton), dtype=np.float32)
    xy, score = np.stack([10 * k, 5 * k], axis=1)[None], (0.5 + k / 1000)[None]
    gone = np.isin(skeleton.parts, missing)
    xy[:, gone], score[:, gone] = np.nan, 0
    box = np.array([[100, 50, 300, 250]], np.float32)
    return Poses(xy, score, np.array([0.9], np.float32), box, np.array([-1], np.int32), skeleton)


@pytest.mark.parametrize(
    ("skeleton", "pairs"),
    [(COCO17, FROM_COCO17), (COCO18, FROM_COCO17), (HALPE26, FROM_HALPE26), (COCO133, FROM_COCO133)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_which_keypoint_is_which_landmark(skeleton: Skeleton, pairs: dict[int, int]) -> None:
    points = landmarks_of(person(skeleton), 0, (2000, 1000)).landmark
    assert len(points) == 33
    for part, landmark in pairs.items():
        point = points[landmark]
        assert (point.x, point.y) == pytest.approx(((10 * part + 0.5) / 2000, (5 * part + 0.5) / 1000))
        assert point.visibility == pytest.approx(0.5 + part / 1000)
    unknown = set(range(33)) - set(pairs.values())
    assert {points[i].visibility for i in unknown} <= {0.0}
    assert all(np.isfinite([p.x, p.y]).all() and p.z == 0 for p in points)
    assert {p.HasField("presence") for p in points} == {False}
    assert {p.HasField("visibility") for p in points} == {True}


def test_openpose_names_its_parts_in_another_order() -> None:
    parts = parts_of_landmarks(OPENPOSE18)
    assert [OPENPOSE18.parts[i] for i in parts[[0, 11, 12, 27]]] == [
        "nose", "left_shoulder", "right_shoulder", "left_ankle",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("landmark", "place_of"),
    [
        ("LEFT_EYE_INNER", "left_eye"),
        ("RIGHT_EYE_OUTER", "right_eye"),
        ("LEFT_THUMB", "left_wrist"),
        ("RIGHT_PINKY", "right_wrist"),
        ("LEFT_HEEL", "left_ankle"),
        ("RIGHT_FOOT_INDEX", "right_ankle"),
    ],
)
def test_what_the_model_does_not_know_lies_at_the_nearest_it_does(landmark: str, place_of: str) -> None:
    points = landmarks_of(person(COCO17), 0, (2000, 1000)).landmark
    unknown, known = points[PoseLandmark[landmark]], points[PoseLandmark[place_of.upper()]]
    assert (unknown.x, unknown.y, unknown.visibility) == (known.x, known.y, 0.0)


def test_the_mouth_lies_between_nose_and_shoulders() -> None:
    points = landmarks_of(person(COCO17), 0, (2000, 1000)).landmark
    nose, shoulder, mouth = (points[PoseLandmark[n]] for n in ("NOSE", "LEFT_SHOULDER", "MOUTH_LEFT"))
    assert mouth.x == pytest.approx(nose.x + 0.2 * (shoulder.x - nose.x))
    assert mouth.visibility == 0


@pytest.mark.parametrize(
    ("missing", "landmark", "place_of"),
    [
        (("left_wrist",), "LEFT_INDEX", "left_elbow"),
        (("left_wrist", "left_elbow"), "LEFT_WRIST", "left_shoulder"),
        (("left_ankle", "left_knee"), "LEFT_HEEL", "left_hip"),
        (("left_hip", "right_hip"), "RIGHT_KNEE", "right_knee"),
        (("left_hip", "right_hip", "right_knee"), "RIGHT_KNEE", "right_shoulder"),
        (("nose",), "NOSE", "left_eye"),
    ],
)
def test_what_was_not_seen_lies_further_up(missing: tuple[str, ...], landmark: str, place_of: str) -> None:
    points = landmarks_of(person(COCO17, missing), 0, (2000, 1000)).landmark
    point, known = points[PoseLandmark[landmark]], points[PoseLandmark[place_of.upper()]]
    assert (point.x, point.y) == (known.x, known.y)


def test_without_any_keypoint_of_a_body_everything_lies_in_the_middle() -> None:
    points = landmarks_of(person(HAND21), 0, (2000, 1000)).landmark
    assert {(round(p.x, 5), round(p.y, 5), p.visibility) for p in points} == {(0.10025, 0.1505, 0.0)}


def test_pixels_come_back_from_normalised_places() -> None:
    # What every program does: int(x * width).
    points = landmarks_of(person(COCO17), 0, (640, 480)).landmark
    for part, landmark in FROM_COCO17.items():
        assert (int(points[landmark].x * 640), int(points[landmark].y * 480)) == (10 * part, 5 * part)
