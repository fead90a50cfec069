"""How alike two people are, by their keypoints and by their boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# So many shared keypoints say as much as the boxes do.
_PARTS_PER_BOX = 3


def similarity(
    xy: NDArray[np.float32],
    other_xy: NDArray[np.float32],
    box: NDArray[np.float32],
    other_box: NDArray[np.float32],
    variance: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Return how alike the people of each of P pairs are, 0 .. 1: shape (P,).

    ``xy`` and ``other_xy`` (P, K, 2) px with NaN where missing, boxes (P, 4) x0, y0, x1, y1, ``variance`` (P, K) px^2
    of the distance between a keypoint and its like. This is the object keypoint similarity over the n keypoints that
    both have, and the intersection over union of the boxes, averaged with the weights n and 3: a hand alone is no
    person, and two halves of one share no keypoint.
    """
    squared = np.square(other_xy - xy).sum(axis=2)
    shared = squared == squared  # False for NaN, at half the price of isnan
    alike = np.exp(squared / (-2 * variance))
    alike[~shared] = 0
    count = shared.sum(axis=1, dtype=np.float32)
    overlap = box_overlap(box, other_box)
    result: NDArray[np.float32] = (alike.sum(axis=1) + _PARTS_PER_BOX * overlap) / (count + _PARTS_PER_BOX)
    return result


def box_overlap(box: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of each of P pairs of boxes (P, 4): shape (P,)."""
    sides = np.minimum(box[:, 2:], other[:, 2:]) - np.maximum(box[:, :2], other[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    result: NDArray[np.float32] = both / np.maximum(areas(box) + areas(other) - both, np.float32(1e-6))
    return result


def areas(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the areas of boxes (P, 4), px^2: shape (P,)."""
    area: NDArray[np.float32] = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    return area


def near(
    box: NDArray[np.float32], others: NDArray[np.float32], reach_px: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of ``box`` (N, 4) and ``others`` (M, 4) that come closer than ``reach_px`` (N,)."""
    wide = box.copy()
    wide[:, :2] -= reach_px[:, None]
    wide[:, 2:] += reach_px[:, None]
    wide = wide[:, None]
    touching = ((wide[..., :2] <= others[:, 2:]) & (wide[..., 2:] >= others[:, :2])).all(axis=2)
    rows, columns = np.nonzero(touching)
    return rows, columns
