"""Regions of interest: people are looked for where they were, and the detector rests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.estimators.top_down import TopDown
from trt_pose_app.track.moved_box import moved_boxes
from trt_pose_app.types import Poses


class Regions:
    """Runs the pose network of ``estimator`` in the boxes of people who were found before.

    A person is lost when a threshold drops it or when the mean score of its keypoints falls below ``least_score``
    of what it was when the detector saw it last, and gone when most of it has left the picture.
    """

    def __init__(self, estimator: TopDown, least_score: float) -> None:
        self._estimator = estimator
        self._least_score = least_score
        self._detected: NDArray[np.float32] = np.empty(0, np.float32)  # mean keypoint score when the detector saw them
        self._box_score: NDArray[np.float32] = np.empty(0, np.float32)

    def start(self, poses: Poses) -> None:
        """Begin with the people that the detector and the pose network found."""
        self._detected = _mean_scores(poses)
        self._box_score = np.clip(poses.person / np.maximum(self._detected, np.float32(1e-6)), 0, 1)

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Follow only these people on, in this order."""
        self._detected, self._box_score = self._detected[rows], self._box_score[rows]

    def find(self, image: NDArray[np.uint8], before: Poses) -> Poses | None:
        """Return the people of ``before`` in the next picture, or None if somebody was lost.

        ``before`` are those of the last frame, in the order of ``start`` and ``keep``. ``box`` of the result goes with
        the keypoints.
        """
        (here,) = np.nonzero(_mostly_inside(before.box, (image.shape[1], image.shape[0])))
        regions = before.box[here]
        if not len(here):
            self.keep(here)
            return Poses.empty(before.skeleton)
        found = self._estimator.select(self._estimator.poses_in_boxes(image, regions, self._box_score[here]))
        if len(found) < len(here):
            return None
        rows = here[(found.box[:, None] == regions).all(axis=2).argmax(axis=1)]
        if (_mean_scores(found) < self._least_score * self._detected[rows]).any():
            return None
        self.keep(rows)
        box = moved_boxes(found.box, before.xy[rows], found.xy)
        return Poses.trusted(found.xy, found.score, found.person, box, found.track, found.skeleton)


def _mean_scores(poses: Poses) -> NDArray[np.float32]:
    """Return the mean score of each person's seen keypoints (N,)."""
    mean: NDArray[np.float32] = poses.score.sum(axis=1) / np.maximum((poses.score > 0).sum(axis=1), 1)
    return mean.astype(np.float32)


def _mostly_inside(box: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return whose box (N, 4) lies by half or more in a picture of (width, height)."""
    sides = np.minimum(box[:, 2:], np.array(size, np.float32)) - np.maximum(box[:, :2], 0)
    inside = np.maximum(sides, 0).prod(axis=1)
    mostly: NDArray[np.bool_] = inside >= 0.5 * (box[:, 2:] - box[:, :2]).prod(axis=1)
    return mostly
