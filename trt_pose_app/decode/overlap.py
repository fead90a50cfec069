"""How much boxes and poses overlap, and suppression of the weaker ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

UNKNOWN_SIGMA = 0.05  # where a skeleton has no OKS constants: about the mean of COCO's


def iou(box: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the intersection over union of one box (4,) with each of ``boxes`` (N, 4): shape (N,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    overlap: NDArray[np.float32] = (both / np.maximum(area + areas - both, 1e-9)).astype(np.float32)
    return overlap


def oks(
    pose: NDArray[np.floating],
    poses: NDArray[np.floating],
    areas: NDArray[np.floating],
    sigmas: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Return the object keypoint similarity of one pose (K, 2) with each of ``poses`` (N, K, 2): shape (N,).

    ``areas`` (N,) px^2 is the size of each pair, ``sigmas`` (K,) COCO's constants. Averaged over the keypoints that
    both have (the others are NaN); 0 where they share none.
    """
    squared = ((poses - pose) ** 2).sum(axis=2)
    shared = ~np.isnan(squared)
    variance = 2 * np.maximum(areas, 1e-9)[:, None] * (2 * sigmas) ** 2
    similar = np.where(shared, np.exp(-np.where(shared, squared, 0) / variance), 0)
    mean: NDArray[np.float32] = (similar.sum(axis=1) / np.maximum(shared.sum(axis=1), 1)).astype(np.float32)
    return mean


def suppress(
    count: int, overlap: Callable[[int, NDArray[np.intp]], NDArray[np.float32]], threshold: float, keep: int
) -> NDArray[np.intp]:
    """Return which of ``count`` items, ordered best first, stay: none overlaps a better one by more than ``threshold``.

    ``overlap(best, others)`` says by how much; at most ``keep`` stay.
    """
    kept: list[int] = []
    left = np.arange(count)
    while len(left) and len(kept) < keep:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        if len(left):
            left = left[overlap(best, left) <= threshold]
    return np.array(kept, dtype=np.intp)


def best_boxes(boxes: NDArray[np.float32], score: NDArray[np.float32], threshold: float, keep: int) -> NDArray[np.intp]:
    """Return the indices of the boxes (N, 4) that non-maximum suppression leaves, best score first."""
    order = np.argsort(-score, kind="stable")
    ordered = boxes[order]
    return order[suppress(len(order), lambda best, others: iou(ordered[best], ordered[others]), threshold, keep)]
