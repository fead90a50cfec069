"""Keypoint similarity: how near a found point is to an annotated one, in units of the person's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def keypoint_similarity(
    found: NDArray[np.float64], truth: NDArray[np.float64], area: NDArray[np.float64], sigmas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return exp(-d^2 / (2 area (2 sigma)^2)) of each found person with each annotated one, part by part: (N, M, K).

    ``found`` (N, K, 2) and ``truth`` (M, K, 2) in pixels, ``area`` (M,) in square pixels. A NaN point has similarity 0.
    cocodataset.org/#keypoints-eval, whose variances are (2 sigma)^2.
    """
    squared = ((found[:, None] - truth[None]) ** 2).sum(axis=3)
    exponent = squared / (2 * (2 * sigmas) ** 2 * (area[:, None] + np.spacing(1)))
    return np.asarray(np.nan_to_num(np.exp(-exponent), nan=0.0))


def mean_similarity(similarity: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return OKS (N, M): the mean of ``similarity`` (N, M, K) over the parts ``counted`` (M, K), 0 where none is."""
    total = (similarity * counted).sum(axis=2)
    return np.asarray(total / np.maximum(counted.sum(axis=1), 1))


def assign(oks: NDArray[np.float64], least: float = 0.0) -> list[tuple[int, int]]:
    """Return pairs (found, annotated) one to one, the most similar first, all above ``least``. ``oks`` is (N, M)."""
    left = oks.copy()
    pairs = []
    for _ in range(min(oks.shape)):
        i, j = np.unravel_index(left.argmax(), left.shape)
        if left[i, j] <= least:
            break
        pairs.append((int(i), int(j)))
        left[i], left[:, j] = -1, -1
    return pairs
