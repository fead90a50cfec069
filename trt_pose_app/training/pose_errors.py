"""PoseErrors: a labelled pose as a pose estimator might have got it wrong.

Moon, Chang and Lee, "PoseFix: Model-agnostic General Human Pose Refinement Network" (CVPR 2019), whose kinds of error
and their shares follow Ronchi and Perona (ICCV 2017). With KS the similarity of one keypoint,
exp(-d^2 / (2 area (2 sigma)^2)), and r the distance to the candidate that a point is drawn around:

good       KS to its own place at least 0.85; no other candidate is nearer than r
jitter     KS between 0.5 and 0.85; no other candidate is nearer than r
inversion  KS to the mirrored part of the same person at least 0.5; no other candidate is nearer than r
swap       KS to the same or the mirrored part of an overlapping person at least 0.5; neither its own place nor its
           mirrored part is nearer than r
miss       KS to one of all these candidates between 0.1 and 0.5; every other one is farther than KS 0.5
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.overlap import UNKNOWN_SIGMA
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.error_rates import ErrorRates

KINDS = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(len(KINDS))
DROPPED = -1  # of a part that no place was found for
_LEVELS = np.log([0.85, 0.5, 0.1])  # of KS
# Which of the levels' radii a kind's places lie between; -1: from the centre on.
_INNER, _OUTER = np.array([-1, 0, -1, -1, 1]), np.array([0, 1, 1, 1, 2])
_OTHERS_SHARE = 0.25  # of a miss: places around other candidates than its own, as published
# Most parts find a place in the first draws. After the last ones a kind counts as impossible for a part.
_DRAWS = (8, 64, 448)

Places = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class WrongPose:
    """``xy`` (K, 2) float32 in the pixels that the pose was given in; ``valid`` (K,) where there is a point at all;
    ``kind`` (K,) index into ``KINDS``, or DROPPED."""

    xy: NDArray[np.float32]
    valid: NDArray[np.bool_]
    kind: NDArray[np.intp]


class PoseErrors:
    """Draws wrong poses of a skeleton.

    The published code draws 500 to 2000 places for each kind and part, keeps those that fit and chooses among them.
    Here the kind is chosen first and places are drawn until one fits, which has the same distribution and takes a
    hundredth of the time. Two slips of that code are not repeated: a right part's inversion lands on the true left
    part, not on an already displaced one, and a part whose mirrored one is unlabelled is never inverted.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._rates = ErrorRates(skeleton)
        self._flip = np.array(skeleton.flip)
        self._paired = self._flip != np.arange(len(skeleton))
        sigmas = np.array(skeleton.sigmas or [UNKNOWN_SIGMA] * len(skeleton))
        self._radius_per_side = np.sqrt(-2 * (2 * sigmas) ** 2 * _LEVELS[:, None]).T  # (K, 3)

    def __call__(
        self,
        xy: NDArray[np.floating],
        labelled: NDArray[np.bool_],
        area: float,
        rng: np.random.Generator,
        *,
        near: NDArray[np.floating] | None = None,
        near_labelled: NDArray[np.bool_] | None = None,
        recorded: NDArray[np.floating] | None = None,
    ) -> WrongPose:
        """Return a wrong version of the pose ``xy`` (K, 2), whose ``labelled`` (K,) parts are known.

        ``area`` is that of the person's box in the pixels of ``xy``. ``near`` (M, K, 2) are the people whose boxes
        overlap and ``near_labelled`` (M, K) their known parts. ``recorded`` (K, 2) is what some estimator found for
        this person: unlabelled parts start from there; without it, or where it is NaN, they are dropped.
        """
        known = labelled
        base = np.asarray(xy, np.float64)
        if recorded is not None:
            known = labelled | np.isfinite(recorded).all(axis=1)
            base = np.where(labelled[:, None], base, recorded)
        if near is None or near_labelled is None:
            near, near_labelled = np.empty((0, *base.shape)), np.empty((0, len(base)), np.bool_)
        candidates, there = self._candidates(base, known, labelled, near, near_labelled)
        rates = self._rates(int(labelled.sum()), len(near))
        rates[~there[:, 0]] = 0
        rates[:, INVERSION] *= there[:, 1]
        rates[:, SWAP] *= there[:, 2:].any(axis=1)
        radius = self._radius_per_side * np.sqrt(max(area, 1.0))
        return _drawn(candidates, there, rates, radius, rng)

    def _candidates(
        self,
        base: Places,
        known: NDArray[np.bool_],
        labelled: NDArray[np.bool_],
        near: NDArray[np.floating],
        near_labelled: NDArray[np.bool_],
    ) -> tuple[Places, NDArray[np.bool_]]:
        """Return the places (K, 2 + 2 M, 2) that a part may be taken to, and which exist: its own, its mirrored part's,
        then the same part and the mirrored one of each overlapping person."""
        flip, paired, n_near = self._flip, self._paired, len(near)
        candidates = np.empty((len(base), 2 + 2 * n_near, 2))
        there = np.empty(candidates.shape[:2], np.bool_)
        candidates[:, 0], there[:, 0] = base, known
        candidates[:, 1], there[:, 1] = base[flip], labelled[flip] & paired
        if n_near:
            same, seen = near.swapaxes(0, 1), near_labelled.T
            candidates[:, 2 : 2 + n_near], there[:, 2 : 2 + n_near] = same, seen
            candidates[:, 2 + n_near :], there[:, 2 + n_near :] = same[flip], seen[flip] & paired[:, None]
        candidates[~there] = np.inf
        return candidates, there


def _drawn(
    candidates: Places,
    there: NDArray[np.bool_],
    rates: NDArray[np.float64],
    radius: NDArray[np.float64],
    rng: np.random.Generator,
) -> WrongPose:
    k_parts = len(candidates)
    place = np.zeros((k_parts, 2))
    kind = np.full(k_parts, DROPPED)
    left = np.flatnonzero(rates.any(axis=1))
    while len(left):
        edges = rates[left].cumsum(axis=1)
        kind[left] = (rng.random((len(left), 1)) * edges[:, -1:] >= edges).sum(axis=1)
        for n_draws in _DRAWS:
            chosen = kind[left]
            found, at = _attempt(candidates[left], there[left], chosen, radius[left], n_draws, rng)
            place[left[found]] = at
            left = left[~found]
            if not len(left):
                break
        rates[left, kind[left]] = 0  # impossible here: the other kinds share its rate
        kind[left] = DROPPED
        left = left[rates[left].any(axis=1)]
    return WrongPose(place.astype(np.float32), kind != DROPPED, kind)


def _attempt(
    candidates: Places,
    there: NDArray[np.bool_],
    kind: NDArray[np.intp],
    radius: NDArray[np.float64],
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], Places]:
    """Return for each of P parts whether one of ``n_draws`` places is of its ``kind``, and the first such places."""
    rows = np.arange(len(kind))[:, None]
    chance = rng.random((3, len(kind), n_draws))
    # Which candidate each place is drawn around.
    share = np.zeros(there.shape)
    own, miss = kind <= JITTER, kind == MISS
    share[own | miss, 0] = 1
    share[kind == INVERSION, 1] = 1
    share[kind == SWAP, 2:] = 1
    share[miss, 1:] = _OTHERS_SHARE
    edges = (share * there).cumsum(axis=1)
    around = (chance[0][:, :, None] * edges[:, None, -1:] >= edges[:, None]).sum(axis=2)
    # Radius and angle are uniform, so places are denser near the centre: as published.
    inner = np.where(_INNER[kind] < 0, 0, radius[rows[:, 0], _INNER[kind]])[:, None]
    r = inner + chance[1] * (radius[rows[:, 0], _OUTER[kind]][:, None] - inner)
    angle = 2 * np.pi * chance[2]
    places = candidates[rows, around]
    places[..., 0] += r * np.cos(angle)
    places[..., 1] += r * np.sin(angle)
    apart = places[:, :, None] - candidates[:, None]
    distance = np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2)
    free = distance > np.where(miss[:, None], radius[:, 1:2], r)[:, :, None]
    free[rows, np.arange(n_draws), around] = True
    free[kind == SWAP, :, 2:] = True  # a swap may be nearer to yet another person
    fits = free.all(axis=2)
    found = fits.any(axis=1)
    return found, places[found, fits[found].argmax(axis=1)]
