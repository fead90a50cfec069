"""Average precision out of matches that are already made: for resampled photos and for raised score thresholds.

Whom a found person matches depends on its own photo and on nobody with a lower score. So a photo can count twice or
not at all, and the weak can be left out, without matching again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RECALL_LEVELS = np.linspace(0, 1, 101)  # COCO's


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The D people found on P photos, best score first, and what they matched at each of T thresholds.

    ``hit`` and ``ignored`` (T, D) bool; ``score`` (D,); ``photo`` (D,) index of each one's photo; ``n_people`` (P,)
    annotated people of each photo that count.
    """

    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    score: NDArray[np.float64]
    photo: NDArray[np.intp]
    n_people: NDArray[np.intp]

    def above(self, score: float) -> Matches:
        """Return the matches without the people below ``score``."""
        kept = self.score >= score
        return Matches(self.hit[:, kept], self.ignored[:, kept], self.score[kept], self.photo[kept], self.n_people)


def average_precision(matches: Matches, weights: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Return COCO's AP at each threshold: (T,), NaN without a person to find.

    ``weights`` (P,) says how often each photo counts. Precision at a recall is the best at that recall or a higher
    one, averaged over 101 recalls.
    """
    n_people, (hits, false) = _counts(matches, weights)
    if n_people == 0:
        return np.full(len(matches.hit), np.nan)
    if hits.shape[1] == 0:
        return np.zeros(len(hits))
    recall = hits / n_people
    precision = hits / (hits + false + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # How many recall levels each person is the first to reach.
    reached = np.searchsorted(RECALL_LEVELS, recall, side="right")
    first = np.diff(reached, axis=1, prepend=0)
    return np.asarray((best * first).sum(axis=1) / len(RECALL_LEVELS))


def average_recall(matches: Matches, weights: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Return the share of the people found at each threshold: (T,), NaN without a person to find."""
    n_people, (hits, _) = _counts(matches, weights)
    if n_people == 0:
        return np.full(len(matches.hit), np.nan)
    return hits[:, -1] / n_people if hits.shape[1] else np.zeros(len(hits))


def _counts(
    matches: Matches, weights: NDArray[np.intp] | None
) -> tuple[int, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    times = np.ones_like(matches.n_people) if weights is None else weights
    each = times[matches.photo]
    hits = np.cumsum((matches.hit & ~matches.ignored) * each, axis=1)
    false = np.cumsum((~matches.hit & ~matches.ignored) * each, axis=1)
    return int(matches.n_people @ times), (hits, false)
