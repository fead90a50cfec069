"""How well ids were kept: MOTA, id switches and IDF1 (Bernardin and Stiefelhagen 2008; Ristani and others 2016)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.track.scene import Truth
from trt_pose_app.track.assignment import assign
from trt_pose_app.types import Poses

_WITHIN = 0.25  # a person is found where its keypoints lie on average within so many of its sizes


@dataclass(frozen=True)
class Score:
    """``people`` to be found, ``missed``, ``ghosts`` found with an id, ``switches`` of ids; ``ids`` given at all."""

    people: int
    missed: int
    ghosts: int
    switches: int
    ids: int
    idf1: float

    @property
    def mota(self) -> float:
        return 1 - (self.missed + self.ghosts + self.switches) / max(1, self.people)


def score(frames: Iterable[tuple[Truth, Poses]]) -> Score:
    """Return how well the ids of ``Poses`` tell the people of ``Truth`` apart; people without an id are not found."""
    people = missed = ghosts = switches = given = 0
    last: dict[int, int] = {}  # person -> its last id
    together: dict[tuple[int, int], int] = {}  # person, id -> frames
    for truth, poses in frames:
        (named,) = np.nonzero(poses.track >= 0)
        close = _closeness(truth, poses.xy[named])
        for i, who in enumerate(truth.who):  # who kept its id keeps its match
            close[i] += np.where((close[i] > 0) & (poses.track[named] == last.get(int(who), -2)), 1, 0)
        rows, columns = assign(close)
        for row, column in zip(rows, columns):
            who, track = int(truth.who[row]), int(poses.track[named[column]])
            switches += last.get(who, track) != track
            last[who] = track
            together[who, track] = together.get((who, track), 0) + 1
        hit = set(rows.tolist())
        people += int(truth.seen.sum())
        missed += sum(bool(seen) and i not in hit for i, seen in enumerate(truth.seen))
        ghosts += len(named) - len(rows)
        given += len(named)
    return Score(
        people, missed, ghosts, switches, len({track for _, track in together}), _idf1(together, people, given)
    )


def _closeness(truth: Truth, xy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (N, M) above 0 where a found person is the true one: 1 at no distance, 0 from ``_WITHIN`` sizes on."""
    if not len(truth.xy) or not len(xy):
        return np.zeros((len(truth.xy), len(xy)))
    distance = np.nanmean(np.linalg.norm(truth.xy[:, None] - xy, axis=3), axis=2)
    sides = truth.xy.max(axis=1) - truth.xy.min(axis=1)
    close: NDArray[np.float64] = np.maximum(0, 1 - distance / (_WITHIN * np.sqrt(sides.prod(axis=1)))[:, None])
    return close


def _idf1(together: dict[tuple[int, int], int], people: int, given: int) -> float:
    """Return twice the frames of the best one-to-one matching of people and ids over all that should and do exist."""
    whos, tracks = sorted({who for who, _ in together}), sorted({track for _, track in together})
    frames = np.zeros((len(whos), len(tracks)))
    for (who, track), count in together.items():
        frames[whos.index(who), tracks.index(track)] = count
    return float(2 * frames[assign(frames)].sum() / max(1, people + given))
