"""One person of a video: found by the detector once, followed without it, lost, found again, and smoothed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.estimators.scripted import write_detector, write_pose
from trt_pose_app.compat.mediapipe.one_person import OnePerson, confidence
from trt_pose_app.compat.mediapipe.solutions.pose import Pose
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.estimators import TopDown, load
from trt_pose_app.skeleton import COCO17
from trt_pose_app.types import Poses

PICTURE = np.zeros((128, 128, 3), np.uint8)
ONE_THREAD = ModelConfig(threads=1)


def scripted(folder: Path, boxes: list[tuple[float, ...]], score: float = 0.8, minimum: float = 0.5) -> OnePerson:
    """Return a tracker whose detector always sees ``boxes`` (x0, y0, x1, y1, score)."""
    write_detector(folder, boxes)
    write_pose(folder, score=score)
    estimator = load("boxes+pose", ONE_THREAD, search=[folder])
    return OnePerson(estimator, track=True, smooth=False, min_tracking_confidence=minimum)


def poses(score: np.ndarray) -> Poses:
    n = len(score)
    return Poses.trusted(
        np.zeros((n, 17, 2), np.float32), score, np.ones(n, np.float32), np.zeros((n, 4), np.float32),
        np.zeros(n, np.int32), COCO17,
    )  # fmt: skip


def test_half_a_person_in_view_is_as_sure_as_a_whole_one() -> None:
    score = np.full((3, 17), 0.8, np.float32)
    score[1, 9:] = 0.01  # no hips, no legs
    score[2, 5:] = 0.01
    assert confidence(poses(score)) == pytest.approx([0.8, 0.8, (5 * 0.8 + 4 * 0.01) / 9])
    assert len(confidence(poses(score[:0]))) == 0


def test_the_largest_of_the_sure_is_taken(tmp_path: Path) -> None:
    boxes = [(10, 10, 20, 30, 0.9), (40, 20, 90, 110, 0.8), (0, 0, 128, 128, 0.1)]
    with scripted(tmp_path, boxes) as person:
        assert isinstance(person.estimator, TopDown)
        found = person(PICTURE)
        beside = person.estimator.poses_in_boxes(PICTURE, np.array([boxes[1][:4]]))
        np.testing.assert_allclose(found.xy, beside.xy)
        assert (len(found), found.track.tolist()) == (1, [0])


def test_nobody(tmp_path: Path) -> None:
    with scripted(tmp_path, [(10, 10, 20, 30, 0.01)]) as person:
        assert len(person(PICTURE)) == 0
        assert len(person(PICTURE)) == 0
        assert person.detections == 2


@pytest.mark.parametrize(("minimum", "detections"), [(0.5, 1), (0.0, 1), (0.9, 6)])
def test_the_detector_runs_only_while_nobody_sure_is_followed(minimum: float, detections: int, tmp_path: Path) -> None:
    with scripted(tmp_path, [(40, 20, 90, 110, 0.8)], minimum=minimum) as person:
        for _ in range(6):
            person(PICTURE)
        assert person.detections == detections


def test_unsure_keypoints_are_nobody(tmp_path: Path) -> None:
    with scripted(tmp_path, [(40, 20, 90, 110, 0.8)], score=0.4) as person:
        assert len(person(PICTURE)) == 0


def test_after_reset_somebody_is_looked_for_again(tmp_path: Path) -> None:
    with scripted(tmp_path, [(40, 20, 90, 110, 0.8)]) as person:
        person(PICTURE)
        person.reset()
        person(PICTURE)
        assert person.detections == 2


PAIR = "rtmdet-nano-person+tinypose-256x192"


@pytest.fixture
def video(shared: Path) -> list[np.ndarray]:
    """Frames of people who come one by one, RGB; the 24 after frame 70 show one of them."""
    capture = cv2.VideoCapture(str(shared / "videos/people-one-by-one.mp4"))
    frames = [capture.read()[1] for _ in range(94)]
    return [cv2.cvtColor(cv2.resize(frame, (640, 480)), cv2.COLOR_BGR2RGB) for frame in frames[70:]]


@pytest.mark.shared
def test_following_agrees_with_detecting(
    video: list[np.ndarray], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRT_POSE_MODELS", str(shared / "weights"))
    distances, found = [], 0
    with (
        Pose(True, model=PAIR, config=ONE_THREAD) as still,
        Pose(smooth_landmarks=False, model=PAIR, config=ONE_THREAD) as moving,
    ):
        for frame in video:
            a, b = still.poses(frame), moving.poses(frame)
            if len(a) and len(b):
                found += 1
                sure = (a.score[0] > 0.3) & (b.score[0] > 0.3)
                height = a.box[0, 3] - a.box[0, 1]
                distances.append(np.linalg.norm(a.xy[0, sure] - b.xy[0, sure], axis=1).mean() / height)
        assert moving._person is not None
        assert moving._person.detections <= 2
    assert found >= 22
    assert np.mean(distances) < 0.03


@pytest.mark.shared
def test_landmarks_tremble_less_when_smoothed(
    video: list[np.ndarray], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRT_POSE_MODELS", str(shared / "weights"))
    noise = np.random.default_rng(0).integers(0, 25, (12, *video[0].shape), np.uint8)
    jitter = {}
    for smooth in (False, True):
        with Pose(smooth_landmarks=smooth, model=PAIR, config=ONE_THREAD) as pose:
            results = [pose.process(np.minimum(video[0], 230) + grain) for grain in noise]
        places = np.array([[p.x for p in r.pose_landmarks.landmark[:17]] for r in results])
        jitter[smooth] = np.abs(np.diff(places, 2, axis=0)).mean()
    assert jitter[True] < 0.5 * jitter[False]
