"""Ids that stay: the people of each frame are told to be those of the frames before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import TrackConfig
from trt_pose_app.decode.overlap import UNKNOWN_SIGMA
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.track.assignment import Pairs, assign
from trt_pose_app.track.memory import Expected, Memory
from trt_pose_app.track.similarity import near, similarity
from trt_pose_app.track.size import sizes_px
from trt_pose_app.types import Poses

DEFAULT_PARAMS = TrackConfig()
_REACH = 0.25  # people whose boxes are farther apart than this, in sizes, are not alike
_STRAY_S = 0.75  # a hidden person is looked for ever farther away for so long, then no farther
_UNSURE = 0.5  # what has no id yet gives way to what has one
_DOUBT = 0.3  # a track whose place is known only so well, in sizes, claims people half as strongly


@dataclass(frozen=True, slots=True, eq=False)
class PredictedBoxes:
    """Where people should be, in the order of their ids.

    ``track`` (M,) int32; ``box`` (M, 4) float32 x0, y0, x1, y1 px, which may leave the frame; ``unseen_s`` (M,)
    float32, how long before the last update each was found last: 0 for those found in it.
    """

    track: NDArray[np.int32]
    box: NDArray[np.float32]
    unseen_s: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.track)


class Tracker:
    """Gives people ids by where their keypoints and boxes are expected.

    Works on ``Poses`` alone, whatever found them, and is deterministic: the same calls give the same ids, from 1 up,
    none used twice. An id is given once a person was found in ``birth_frames`` frames; until then it is -1. A person
    who is hidden keeps the id for ``memory_s``; one who left the frame, or was away longer, comes back as a new one,
    since nobody's looks are compared. For one thread at a time.
    """

    def __init__(self, params: TrackConfig = DEFAULT_PARAMS) -> None:
        self._params = params
        self._next_id = 1
        self._now_s = float("inf")
        self._frame_size = (0, 0)
        self._skeleton: Skeleton | None = None
        self._memory = Memory(0)
        self._variance = np.empty(0, np.float32)

    def update(self, poses: Poses, captured_s: float, frame_size: tuple[int, int]) -> Poses:
        """Return the people of the next frame with their ids, without those found twice; order and pixels stay.

        ``captured_s`` is any clock in seconds. Where it runs backwards (a file played again), or the frame's size
        (width, height) or the skeleton changes, nothing is comparable any more and everybody is new.
        """
        if not captured_s >= self._now_s or frame_size != self._frame_size or poses.skeleton is not self._skeleton:
            self._start(poses.skeleton, frame_size)
        self._now_s = captured_s
        memory = self._memory
        self._forget(captured_s)
        poses, size = self._each_once(poses)
        expected = memory.expected(captured_s)
        rows, people = self._match(poses, size, expected)
        memory.see(rows, expected, poses, people, size, captured_s)
        new = poses.person >= self._params.birth_score
        new[people] = False
        (born,) = np.nonzero(new)
        memory.add(poses, born, size, captured_s)
        rows = np.concatenate([rows, np.arange(len(memory) - len(born), len(memory))])
        people = np.concatenate([people, born])
        self._name(rows, people)
        track = np.full(len(poses), -1, np.int32)
        track[people] = np.where(memory.track[rows] > 0, memory.track[rows], -1)
        return Poses.trusted(poses.xy, poses.score, poses.person, poses.box, track, poses.skeleton)

    def predicted_boxes(self, at_s: float) -> PredictedBoxes:
        """Return where everybody who has an id and is remembered should be at ``at_s``, hidden or not."""
        memory = self._memory
        (named,) = np.nonzero(memory.track)
        named = named[np.argsort(memory.track[named])]
        unseen_s = (self._now_s - memory.seen_s[named]).astype(np.float32)
        return PredictedBoxes(memory.track[named], memory.expected(at_s).box[named], unseen_s)

    def _start(self, skeleton: Skeleton, frame_size: tuple[int, int]) -> None:
        self._skeleton, self._frame_size = skeleton, frame_size
        self._memory = Memory(len(skeleton))
        sigmas = np.asarray(skeleton.sigmas or (UNKNOWN_SIGMA,) * len(skeleton), np.float32)
        self._variance = (2 * sigmas) ** 2  # of a keypoint's distance, in sizes, as object keypoint similarity has it

    def _forget(self, at_s: float) -> None:
        """Give up those who were hidden for too long, who left the frame, and who were an error of the network's."""
        memory = self._memory
        if not memory.missed.any() and not (at_s - memory.seen_s > self._params.memory_s).any():
            return
        hidden = memory.missed > 0
        middle = memory.expected(at_s).box.reshape(-1, 2, 2).mean(axis=1)
        outside = ((middle < 0) | (middle >= self._frame_size)).any(axis=1)
        late = at_s - memory.seen_s > self._params.memory_s
        memory.keep(~(late | hidden & outside | (memory.track == 0) & (memory.missed > 1)))

    def _each_once(self, poses: Poses) -> tuple[Poses, NDArray[np.float32]]:
        """Return the people without those much alike a better one, and everybody's size."""
        size = sizes_px(poses.box)
        better, worse = near(poses.box, poses.box, np.zeros(len(poses), np.float32))
        worse, better = worse[later := worse > better], better[later]
        if not len(worse):
            return poses, size
        squared_size = ((size[better] ** 2 + size[worse] ** 2) / 2)[:, None]
        alike = self._alike(poses.xy, poses.box, poses.xy, poses.box, (better, worse), squared_size * self._variance)
        kept = np.ones(len(poses), bool)
        for n in np.flatnonzero(alike > self._params.pose_nms):  # ordered by the better one
            if kept[better[n]]:
                kept[worse[n]] = False
        if kept.all():
            return poses, size
        unique = Poses.trusted(
            poses.xy[kept], poses.score[kept], poses.person[kept], poses.box[kept], poses.track[kept], poses.skeleton
        )
        return unique, size[kept]

    def _match(self, poses: Poses, size: NDArray[np.float32], expected: Expected) -> Pairs:
        """Return which rows of the memory are which people."""
        memory = self._memory
        spread = self._params.agility * np.minimum(expected.unseen_s, _STRAY_S)  # in sizes
        rows, people = near(expected.box, poses.box, memory.size * (_REACH + spread))
        if not len(rows):
            return rows, people
        squared_size = ((memory.size[rows] ** 2 + size[people] ** 2) / 2)[:, None]
        variance = squared_size * (self._variance + np.square(spread)[rows, None])
        alike = self._alike(expected.xy, expected.box, poses.xy, poses.box, (rows, people), variance)
        # One who may be anywhere fits everywhere: likelihood, not likeness, decides between tracks.
        credible = _DOUBT**2 / (_DOUBT**2 + np.square(spread)) * np.where(memory.track > 0, 1, _UNSURE)
        weights = np.zeros((len(memory), len(poses)), np.float32)
        weights[rows, people] = np.where(alike >= self._params.min_similarity, alike * credible[rows], 0)
        return assign(weights)

    @staticmethod
    def _alike(
        xy: NDArray[np.float32], box: NDArray[np.float32], other_xy: NDArray[np.float32],
        other_box: NDArray[np.float32], pairs: Pairs, variance: NDArray[np.floating],
    ) -> NDArray[np.float32]:  # fmt: skip
        first, second = pairs
        return similarity(xy[first], other_xy[second], box[first], other_box[second], variance)

    def _name(self, rows: NDArray[np.intp], people: NDArray[np.intp]) -> None:
        """Give ids to those found often enough, the better ones first."""
        memory = self._memory
        due = (memory.track[rows] == 0) & (memory.found[rows] >= self._params.birth_frames)
        if due.any():
            named = rows[due][np.argsort(people[due])]
            memory.track[named] = np.arange(self._next_id, self._next_id + len(named))
            self._next_id += len(named)
