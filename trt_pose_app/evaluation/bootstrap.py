"""95 % intervals by drawing the photos again, with replacement.

Photos and not people: those on one photo are found or missed together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.average_precision import Matches, average_precision

Interval = tuple[float, float]


def draw_photos(n_photos: int, n_draws: int, seed: int = 0) -> NDArray[np.intp]:
    """Return how often each photo occurs in each draw: (n_draws, n_photos).

    Two models are compared on the same draws, which is what makes the interval of their difference narrow.
    """
    rng = np.random.default_rng(seed)
    return np.asarray(rng.multinomial(n_photos, np.full(n_photos, 1 / n_photos), size=n_draws))


def drawn_ap(matches: Matches, draws: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return COCO's AP, the mean over all thresholds, in each draw: (n_draws,)."""
    return np.array([average_precision(matches, weights).mean() for weights in draws])


def drawn_share(hits: NDArray[np.intp], counted: NDArray[np.intp], draws: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return hits per counted keypoint in each draw: (n_draws, K) of (n_photos, K) both, NaN where nothing counts."""
    total = (draws @ counted).astype(np.float64)
    shares: NDArray[np.float64] = np.divide(draws @ hits, total, out=np.full(total.shape, np.nan), where=total > 0)
    return shares


def interval(values: NDArray[np.float64]) -> Interval | None:
    """Return the middle 95 % of ``values`` (n_draws,), NaN left out; None if none is left."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
