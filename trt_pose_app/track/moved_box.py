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
    shared = ~np.isnan(before[..., 0] + after[..., 0])[..., None]
    extents = []
    for xy in (before, after):
        low = np.where(shared, xy, np.float32(np.inf)).min(axis=1, initial=np.inf)
        high = np.where(shared, xy, np.float32(-np.inf)).max(axis=1, initial=-np.inf)
        extents.append(np.concatenate([low, high], axis=1))
    some = shared.any(axis=(1, 2))
    moved: NDArray[np.float32] = box.copy()
    moved[some] += (extents[1] - extents[0])[some]
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2])
    return moved
