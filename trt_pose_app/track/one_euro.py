"""The One-Euro filter (Casiez, Roussel and Vogel 2012) for every keypoint of every person at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import SmoothConfig
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.track.size import sizes_px
from trt_pose_app.types import Poses

DEFAULT_PARAMS = SmoothConfig()
_SIZE_S = 1.0  # sizes are averaged over about so long: their own trembling must not pass on


class PoseSmoother:
    """Keeps keypoints from trembling: a low pass whose cutoff rises with speed, so that movement is not held up.

    Speeds are in person sizes per second, which makes the filter the same for near and far people, and frames may come
    at any times. People are told apart by ``Poses.track``; those without an id pass as they are. A missing keypoint
    stays missing; one that was missing for longer than ``max_gap_s`` begins anew where it is found. Scores and boxes
    are not changed. For one thread at a time.
    """

    def __init__(self, params: SmoothConfig = DEFAULT_PARAMS) -> None:
        self._params = params
        self._skeleton: Skeleton | None = None
        self._now_s = float("inf")
        self._people = _People(0)

    def update(self, poses: Poses, captured_s: float) -> Poses:
        """Return the people of the next frame, smoothed.

        ``captured_s`` is any clock in seconds. Where it runs backwards (a file played again), all begins anew.
        """
        if poses.skeleton is not self._skeleton or not captured_s >= self._now_s:
            self._skeleton, self._people = poses.skeleton, _People(len(poses.skeleton))
        self._now_s = captured_s
        self._people.forget(captured_s - self._params.max_gap_s)
        (tracked,) = np.nonzero(poses.track >= 0)
        if not len(tracked):
            return poses
        rows = self._people.rows(poses.track[tracked])
        xy = poses.xy.copy()
        xy[tracked] = self._filter(rows, poses.xy[tracked].astype(np.float64), sizes_px(poses.box[tracked]), captured_s)
        return Poses.trusted(xy, poses.score, poses.person, poses.box, poses.track, poses.skeleton)

    def _filter(
        self, rows: NDArray[np.intp], raw: NDArray[np.float64], size: NDArray[np.float32], at_s: float
    ) -> NDArray[np.float64]:
        """Return ``raw`` (N, K, 2) smoothed by what is remembered in ``rows``, and remember it."""
        people, params = self._people, self._params
        size_px = people.take_size(rows, size, at_s)[:, None, None]
        old, old_speed = people.xy[rows], people.speed[rows]
        gap_s = (at_s - people.seen_s[rows])[..., None]  # (N, K, 1), infinite for what is new
        found: NDArray[np.bool_] = np.all(np.isfinite(raw), axis=2, keepdims=True)
        known = found & (gap_s <= params.max_gap_s)
        dt_s = np.where(known, gap_s, 0)

        # In the same moment (dt 0) nothing moves: both gains are 0.
        step = np.where(known, raw, old) - old
        speed = step / (np.maximum(dt_s, 1e-9) * size_px)
        speed = old_speed + (speed - old_speed) * _gain(params.derivative_cutoff_hz, dt_s)
        pace = np.sqrt(np.square(speed).sum(axis=2, keepdims=True))
        smooth = old + step * _gain(params.min_cutoff_hz + params.beta * pace, dt_s)

        smooth = np.where(known, smooth, raw)
        people.xy[rows] = np.where(found, smooth, old)
        people.speed[rows] = np.where(found, np.where(known, speed, 0), old_speed)
        people.seen_s[rows] = np.where(found, at_s, people.seen_s[rows, :, None])[..., 0]
        return smooth


class _People:
    """The state of the filters, one row for each person: where and how fast (sizes/s) each keypoint was, and when."""

    def __init__(self, k_parts: int) -> None:
        self.track = np.empty(0, np.int32)
        self.xy = np.empty((0, k_parts, 2))
        self.speed = np.empty((0, k_parts, 2))
        self.seen_s = np.empty((0, k_parts))
        self.size = np.empty(0)
        self.size_s = np.empty(0)

    def rows(self, track: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the row of each id, for a new one a new row."""
        new = np.setdiff1d(track, self.track)
        if len(new):
            n_new, k_parts = len(new), self.xy.shape[1]
            self.track = np.concatenate([self.track, new])
            self.xy = np.concatenate([self.xy, np.zeros((n_new, k_parts, 2))])
            self.speed = np.concatenate([self.speed, np.zeros((n_new, k_parts, 2))])
            self.seen_s = np.concatenate([self.seen_s, np.full((n_new, k_parts), -np.inf)])
            self.size = np.concatenate([self.size, np.zeros(n_new)])
            self.size_s = np.concatenate([self.size_s, np.full(n_new, -np.inf)])
        order = np.argsort(self.track)
        rows: NDArray[np.intp] = order[np.searchsorted(self.track, track, sorter=order)]
        return rows

    def take_size(self, rows: NDArray[np.intp], size: NDArray[np.float32], at_s: float) -> NDArray[np.float64]:
        """Return the sizes of ``rows`` averaged over time, ``size`` (N,) px being those of now."""
        share = -np.expm1((self.size_s[rows] - at_s) / _SIZE_S)  # 1 for what is new
        self.size[rows] += (size - self.size[rows]) * share
        self.size_s[rows] = at_s
        averaged: NDArray[np.float64] = self.size[rows]
        return averaged

    def forget(self, before_s: float) -> None:
        """Forget those who were last here before ``before_s``."""
        kept = self.size_s >= before_s
        if not kept.all():
            for name in ("track", "xy", "speed", "seen_s", "size", "size_s"):
                setattr(self, name, getattr(self, name)[kept])


def _gain(cutoff_hz: NDArray[np.float64] | float, dt_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of the way to a new value a first-order low pass goes within ``dt_s``."""
    turn = 2 * np.pi * cutoff_hz * dt_s
    gain: NDArray[np.float64] = turn / (turn + 1)
    return gain
