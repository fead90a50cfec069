"""The one person of a video: found once, then followed without the detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.decode.overlap import iou
from trt_pose_app.estimators import Estimator, TopDown
from trt_pose_app.track.one_euro import PoseSmoother
from trt_pose_app.types import Poses, boxes_around

# Keypoints span less than the box a pose network was trained with: no top of the head, no fingers, no feet.
REGION_SCALE = 1.25
# A keypoint below this says too little about where the person is to be followed there.
_SURE = 0.3
_SAME_PERSON_IOU = 0.3
# Keypoints on a line, or on one spot, still are a person of some width and height.
_SLIMMEST, _SMALLEST_PX = 4, 16.0
# MediaPipe takes every picture for the next of a 30 Hz video, whenever it comes.
_FRAME_S = 1 / 30
_ONE = np.zeros(1, np.int32)  # the id of the one person


class OnePerson(Closing):
    """BGR pictures in, ``Poses`` of nobody or one person out; ``box`` is the one around the keypoints.

    With ``track`` the pictures are a video: a ``TopDown`` then looks where the person was in the last picture, and runs
    its detector only if nobody is followed or the confidence falls under ``min_tracking_confidence``. Other estimators
    find everybody anyway; the person followed so far stays the one. ``smooth`` smooths, when tracking. Owns the
    estimator and closes it.
    """

    def __init__(self, estimator: Estimator, *, track: bool, smooth: bool, min_tracking_confidence: float) -> None:
        self.estimator = estimator
        self.detections = 0  # pictures in which somebody was looked for everywhere
        self._track = track
        self._smoother = PoseSmoother() if track and smooth else None
        self._now_s = 0.0
        self._min_confidence = min_tracking_confidence
        self._region: NDArray[np.float32] | None = None  # the box (4,) in which to expect the person

    def __call__(self, image: NDArray[np.uint8]) -> Poses:
        """Return the person in an (H, W, 3) BGR uint8 picture."""
        person = self._follow(image)
        if not len(person):
            person = self._find(image)
        if not len(person):
            self.reset()
            return person
        person = replace(person, box=boxes_around(person.xy), track=_ONE)
        if self._track:
            self._region = _region(person)
        if self._smoother is not None:
            self._now_s += _FRAME_S
            person = self._smoother.update(person, self._now_s)
        return person

    def reset(self) -> None:
        """Forget the person: the next picture is the first of a video."""
        self._region = None
        if self._smoother is not None:
            self._smoother, self._now_s = PoseSmoother(), 0.0

    def close(self) -> None:
        """Free the estimator. Idempotent."""
        self.estimator.close()

    def _follow(self, image: NDArray[np.uint8]) -> Poses:
        """Return the person where the last one was, without the detector."""
        if self._region is None or not isinstance(self.estimator, TopDown):
            return Poses.empty(self.estimator.skeleton)
        return self._sure(self.estimator.poses_in_boxes(image, self._region[None]))

    def _find(self, image: NDArray[np.uint8]) -> Poses:
        """Return the person to go on with, looked for everywhere."""
        self.detections += 1
        if not isinstance(self.estimator, TopDown):
            people = self._sure(self.estimator(image))
            return _only(people, self._choose(people.box, people.person)) if len(people) else people
        boxes = self.estimator.detect(image)
        if not len(boxes):
            return Poses.empty(self.estimator.skeleton)
        best = self._choose(boxes.xyxy, boxes.score)
        return self._sure(self.estimator.poses_in_boxes(image, boxes.xyxy[best], boxes.score[best]))

    def _choose(self, boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> slice:
        """Return which of N >= 1 boxes is the person followed so far, or else the largest of the sure ones."""
        if self._region is not None:
            overlap = iou(self._region, boxes)
            if overlap.max() >= _SAME_PERSON_IOU:
                return _at(overlap)
            self.reset()
        return _at(scores * np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)))

    def _sure(self, people: Poses) -> Poses:
        """Return those who are confident enough."""
        sure = confidence(people)
        kept = (sure >= self._min_confidence) & (sure > 0)
        return people if kept.all() else _only(people, kept)


def confidence(people: Poses) -> NDArray[np.float32]:
    """Return the mean score of the better half of each person's keypoints: half a person in view is one in full."""
    half = (len(people.skeleton) + 1) // 2
    better = np.partition(people.score, -half, axis=1)[:, -half:]
    mean: NDArray[np.float32] = better.mean(axis=1, dtype=np.float32)
    return mean


def _region(person: Poses) -> NDArray[np.float32]:
    """Return the box (4,) in which to look for the person in the next picture."""
    sure = person.xy[:, person.score[0] >= _SURE]
    x0, y0, x1, y1 = boxes_around(sure if sure.shape[1] > 1 else person.xy)[0]
    centre, half = np.array([x0 + x1, y0 + y1]) / 2, np.array([x1 - x0, y1 - y0]) * REGION_SCALE / 2
    half = np.maximum(half, max(half.max() / _SLIMMEST, _SMALLEST_PX / 2))
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def _at(values: NDArray[np.floating]) -> slice:
    best = int(np.argmax(values))
    return slice(best, best + 1)


def _only(people: Poses, kept: slice | NDArray[np.bool_]) -> Poses:
    return Poses.trusted(
        people.xy[kept], people.score[kept], people.person[kept], people.box[kept], people.track[kept], people.skeleton
    )
