"""A generated scene: people who walk, cross, hide, leave and enter, as a network would find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.people import STANDING
from trt_pose_app.skeleton import COCO17
from trt_pose_app.types import Poses, boxes_around

WIDTH, HEIGHT = 1280, 720
_SIGMAS = np.array(COCO17.sigmas)
_LEGS, _ARMS = (13, 14, 15, 16), (7, 8, 9, 10)


@dataclass(frozen=True)
class Walker:
    """One person: hips at ``x``, ``y`` in the first frame of [``first``, ``last``), then on with ``speed`` px/s.

    ``hidden`` frames are spent behind something. A larger ``height_px`` is nearer to the camera.
    """

    x: float
    y: float
    speed: float
    height_px: float
    first: int = 0
    last: int = 10**9
    hidden: tuple[int, int] = (0, 0)
    drift: float = 0.0
    phase: float = 0.0

    def xy(self, index: int, fps: float) -> NDArray[np.float64]:
        """Return the keypoints (17, 2) in a frame: arms and legs swing as those of a walker do."""
        seconds = (index - self.first) / fps
        swing = np.sin(2 * np.pi * (1.0 * seconds + self.phase)) * np.sign(self.speed or 1)
        pose = STANDING.astype(np.float64) / 500
        sides = np.array([1, -1, 1, -1])
        pose[list(_LEGS), 0] += 0.12 * swing * sides * np.array([0.5, 0.5, 1, 1])
        pose[list(_ARMS), 0] -= 0.09 * swing * sides * np.array([0.5, 0.5, 1, 1])
        pose[:, 1] += 0.01 * np.cos(4 * np.pi * (seconds + self.phase))
        hips = np.array([self.x + self.speed * seconds, self.y + self.drift * seconds])
        xy: NDArray[np.float64] = pose * self.height_px + hips
        return xy


@dataclass(frozen=True)
class Truth:
    """Who is really there: ``who`` (N,) numbers, ``xy`` (N, 17, 2), ``seen`` (N,) whether enough shows."""

    who: NDArray[np.int64]
    xy: NDArray[np.float64]
    seen: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Walkers and how badly they are found.

    ``noise`` is in COCO's constants of a part; ``part_misses`` and ``misses`` are the shares of keypoints and people
    that are not found, ``ghosts`` the people found per frame who are none.
    """

    walkers: Sequence[Walker]
    frames: int
    fps: float = 30.0
    noise: float = 0.5
    part_misses: float = 0.05
    misses: float = 0.03
    ghosts: float = 0.03
    seed: int = 0

    def __iter__(self) -> Iterator[tuple[float, Truth, Poses]]:
        """Yield seconds, truth and what is found, frame by frame."""
        rng = np.random.default_rng(self.seed)
        for index in range(self.frames):
            yield index / self.fps, *self._frame(index, rng)

    def _frame(self, index: int, rng: np.random.Generator) -> tuple[Truth, Poses]:
        there = [n for n, walker in enumerate(self.walkers) if walker.first <= index < walker.last]
        there = [n for n in there if -0.2 * WIDTH < self.walkers[n].xy(index, self.fps)[:, 0].mean() < 1.2 * WIDTH]
        xy = np.array([self.walkers[n].xy(index, self.fps) for n in there]).reshape(-1, 17, 2)
        visible: NDArray[np.bool_] = np.all((xy >= 0) & (xy < (WIDTH, HEIGHT)), axis=2)
        for i, n in enumerate(there):
            begin, end = self.walkers[n].hidden
            visible[i] &= not begin <= index < end
            for j, other in enumerate(there):
                if self.walkers[other].height_px > self.walkers[n].height_px:
                    visible[i] &= ~_behind(xy[i], xy[j])
        seen = visible.sum(axis=1) >= 5
        found = seen & (rng.uniform(size=len(there)) >= self.misses)
        parts = visible & (rng.uniform(size=visible.shape) >= self.part_misses)
        found &= parts.sum(axis=1) >= 3
        heights = np.array([self.walkers[n].height_px for n in there])
        spread = self.noise * _SIGMAS[:, None] * heights[:, None, None] * 0.6  # a standing person's root of the area
        detected = (xy + rng.normal(size=xy.shape) * spread)[found]
        detected[~parts[found]] = np.nan
        if rng.uniform() < self.ghosts:
            place = rng.uniform((100, 150), (WIDTH - 100, HEIGHT - 150))
            detected = np.concatenate([detected, [STANDING * rng.uniform(0.2, 0.7) + place]])
        truth = Truth(np.array(there, dtype=np.int64), xy, seen)
        return truth, _poses(detected, rng)


def _behind(xy: NDArray[np.float64], nearer: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of the keypoints (17, 2) the body of a nearer person covers."""
    low, high = nearer[5:17].min(axis=0), nearer[5:17].max(axis=0)
    low[1] = nearer[:, 1].min()
    inside: NDArray[np.bool_] = ((xy >= low) & (xy <= high)).all(axis=1)
    return inside


def _poses(xy: NDArray[np.float64], rng: np.random.Generator) -> Poses:
    n_people = len(xy)
    order = rng.permutation(n_people)  # networks list people in any order
    found = xy[order].astype(np.float32)
    score = np.where(np.isnan(found[..., 0]), 0, 0.8).astype(np.float32)
    person = np.linspace(0.9, 0.5, n_people, dtype=np.float32)
    return Poses(found, score, person, boxes_around(found), np.full(n_people, -1, np.int32), COCO17)


def busy_street(fps: float = 30.0, seed: int = 0, **changes: float) -> Scene:
    """Seven people over ten seconds: pairs cross, one hides for ten frames, three leave, three enter."""
    per_second = 30.0 / fps  # the same frames are farther apart in time

    def at(frame: int) -> int:
        return round(frame / per_second)

    walkers = (
        Walker(150, 380, 130, 330, phase=0.1),  # these two cross, this one in front
        Walker(900, 360, -110, 290, phase=0.4),
        Walker(700, 330, 0, 240, hidden=(at(150), at(150) + 10), phase=0.7),  # stands, behind a car for ten frames
        Walker(500, 320, -170, 220, phase=0.2),  # leaves on the left
        Walker(1000, 400, 150, 350, phase=0.9),  # leaves on the right
        Walker(300, 330, 90, 200, last=at(120), phase=0.5),  # goes through a door
        Walker(-60, 360, 140, 280, first=at(90), phase=0.3),  # enters on the left
        Walker(1340, 330, -120, 230, first=at(140), phase=0.6),  # enters on the right
        Walker(420, 340, 100, 260, first=at(200), hidden=(at(240), at(240) + 10), phase=0.8),  # out of a door, hides
    )
    return Scene(walkers, frames=round(300 / per_second), fps=fps, seed=seed, **changes)
