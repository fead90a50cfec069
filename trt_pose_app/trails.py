"""Where people have been lately, for drawing behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.types import Poses

_HIPS = ("left_hip", "right_hip")


class Trails:
    """The paths of people with ids over the last ``length_s`` seconds. Not for several threads at once."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._points: dict[int, list[tuple[float, float, float]]] = {}  # id -> seconds, x, y
        self._now_s = float("inf")

    def add(self, poses: Poses, at_s: float) -> None:
        """Take in the next frame. ``at_s`` is any clock in seconds; where it runs backwards, all begins anew."""
        if at_s < self._now_s:
            self._points.clear()
        self._now_s = at_s
        if self._length_s > 0:
            for track, (x, y) in zip(poses.track.tolist(), _places(poses).tolist()):
                if track >= 0 and x == x:
                    self._points.setdefault(track, []).append((at_s, x, y))
        begin_s = at_s - self._length_s
        for track, points in list(self._points.items()):
            while points and points[0][0] < begin_s:
                points.pop(0)
            if not points:
                del self._points[track]

    def paths(self) -> dict[int, NDArray[np.float32]]:
        """Return for each id its points (n, 2) px, oldest first."""
        return {track: np.array(points, np.float32)[:, 1:] for track, points in self._points.items()}


def _places(poses: Poses) -> NDArray[np.float32]:
    """Return one point (N, 2) px for each person: between the hips, NaN without both; of a hand, the box's middle."""
    parts = poses.skeleton.parts
    if all(hip in parts for hip in _HIPS):
        left, right = (poses.xy[:, parts.index(hip)] for hip in _HIPS)
        middle = (left + right) / 2
    else:
        middle = (poses.box[:, :2] + poses.box[:, 2:]) / 2
    return middle.astype(np.float32)
