"""Where a refiner looks: the boxes around the known keypoints of people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST_SIDE_PX = 20.0  # of a pose that is one point or a line, as PoseFix was released


def pose_boxes(xy: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the boxes (N, 4) x0, y0, x1, y1 around the ``valid`` (N, K) ones of ``xy`` (N, K, 2), in the same pixels.

    No side is shorter than 20 px. Someone without a valid keypoint has the box of NaN.
    """
    low = np.where(valid[..., None], xy, np.inf).min(axis=1)
    high = np.where(valid[..., None], xy, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        short = np.maximum(_LEAST_SIDE_PX - (high - low), 0) / 2
        boxes = np.concatenate((low - short, high + short), axis=1)
    boxes[~valid.any(axis=1)] = np.nan
    return boxes.astype(np.float32)
