"""What is remembered of the people seen so far, one row for each, and where that puts them now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.types import Poses

_STEADY_S = 0.5  # speeds are averaged over about so long
_HALT_S = 1.0  # a person out of sight is taken to come to rest after about so long
_SIZE_S = 1.0  # sizes are averaged over about so long: boxes shrink and grow with every missing foot


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Where M people should be: ``xy`` (M, K, 2), ``box`` (M, 4) px, ``unseen_s`` (M,) since they were found last."""

    xy: NDArray[np.float32]
    box: NDArray[np.float32]
    unseen_s: NDArray[np.float32]


class Memory:
    """M people as arrays of M rows.

    ``track`` ids, 0 where none is given yet; ``found`` in how many frames; ``missed`` in how many since then;
    ``seen_s`` when found last; ``xy`` (M, K, 2) px where: a part not found then is where the others have taken it;
    ``box`` (M, 4) px; ``size`` (M,) px; ``velocity`` (M, 2) px/s.
    """

    def __init__(self, k_parts: int) -> None:
        self.track = np.empty(0, np.int32)
        self.found = np.empty(0, np.int32)
        self.missed = np.empty(0, np.int32)
        self.seen_s = np.empty(0, np.float64)
        self.xy = np.empty((0, k_parts, 2), np.float32)
        self.box = np.empty((0, 4), np.float32)
        self.size = np.empty(0, np.float32)
        self.velocity = np.empty((0, 2), np.float32)

    def __len__(self) -> int:
        return len(self.track)

    def expected(self, at_s: float) -> Expected:
        """Return where everybody should be at ``at_s``: on as before, and slower the longer out of sight."""
        unseen_s = np.maximum(at_s - self.seen_s, 0).astype(np.float32)
        shift = self.velocity * (_HALT_S * -np.expm1(unseen_s / -_HALT_S))[:, None]
        return Expected(self.xy + shift[:, None], self.box + np.concatenate([shift, shift], axis=1), unseen_s)

    def see(
        self, rows: NDArray[np.intp], expected: Expected, poses: Poses, people: NDArray[np.intp],
        size: NDArray[np.float32], at_s: float,
    ) -> None:  # fmt: skip
        """Take in that ``rows`` are ``people`` of ``poses``, whose sizes are ``size`` (N,); all others are missed."""
        self.missed += 1
        if not len(rows):
            return
        xy, foreseen, unseen_s = poses.xy[people], expected.xy[rows], expected.unseen_s[rows]
        astray = xy - foreseen
        known = np.isfinite(astray).all(axis=2)
        count = known.sum(axis=1, dtype=np.float32)[:, None]
        astray[~known] = 0
        box = poses.box[people]
        middle = (box - expected.box[rows]).reshape(-1, 2, 2).mean(axis=1)
        astray_mean = np.where(count > 0, astray.sum(axis=1) / np.maximum(count, 1), middle)
        # The first speed is all that is known of it; the later ones improve it.
        gain = np.maximum(1 / self.found[rows], -np.expm1(unseen_s / -_STEADY_S))
        pace = np.where(unseen_s > 0, gain / np.maximum(unseen_s, np.float32(1e-3)), 0)
        self.velocity[rows] += astray_mean * pace[:, None].astype(np.float32)
        self.xy[rows] = np.where(np.isnan(xy), foreseen + astray_mean[:, None], xy)
        self.box[rows] = box
        self.size[rows] += (size[people] - self.size[rows]) * -np.expm1(unseen_s / -_SIZE_S)
        self.found[rows] += 1
        self.missed[rows] = 0
        self.seen_s[rows] = at_s

    def add(self, poses: Poses, people: NDArray[np.intp], size: NDArray[np.float32], at_s: float) -> None:
        """Remember ``people`` of ``poses`` as new ones, at rest."""
        n_new = len(people)
        self.track = np.concatenate([self.track, np.zeros(n_new, np.int32)])
        self.found = np.concatenate([self.found, np.ones(n_new, np.int32)])
        self.missed = np.concatenate([self.missed, np.zeros(n_new, np.int32)])
        self.seen_s = np.concatenate([self.seen_s, np.full(n_new, at_s)])
        self.xy = np.concatenate([self.xy, poses.xy[people]])
        self.box = np.concatenate([self.box, poses.box[people]])
        self.size = np.concatenate([self.size, size[people]])
        self.velocity = np.concatenate([self.velocity, np.zeros((n_new, 2), np.float32)])

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget everybody but the rows where ``kept`` (M,)."""
        for name in ("track", "found", "missed", "seen_s", "xy", "box", "size", "velocity"):
            setattr(self, name, getattr(self, name)[kept])
