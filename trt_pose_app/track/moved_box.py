"""Boxes that go with their keypoints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def moved_boxes(
    box: NDArray[np.float32], before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``box`` (N, 4) after each side went with the outermost keypoints, from ``before`` to ``after`` (N, K, 2).

    Only keypoints that are there both times count; NaN is missing. A box thus keeps its margins around the keypoints,
    whatever made it, and one that nobody's keypoints speak for stays. Sides never change places.
    """
    shared = ~np.isnan(before[..., 0] + after[..., 0])
    (some,) = np.nonzero(shared.any(axis=1))
    counts = shared[some][..., None]
    low_before, low_after = (np.where(counts, xy[some], np.float32(np.inf)).min(axis=1) for xy in (before, after))
    high_before, high_after = (np.where(counts, xy[some], np.float32(-np.inf)).max(axis=1) for xy in (before, after))
    moved: NDArray[np.float32] = box.copy()
    moved[some, :2] += low_after - low_before
    moved[some, 2:] += high_after - high_before
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2])
    return moved
