"""How large a person is in the picture: the yardstick of every distance in tracking and smoothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SLIMMEST = 3  # a box around keypoints that lie on a line is taken to be a third as wide as long


def sizes_px(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the square roots of the areas of boxes (N, 4), px: shape (N,), at least 1."""
    sides = box[:, 2:] - box[:, :2]
    longer = sides.max(axis=1)
    area = longer * np.maximum(sides.min(axis=1), longer / _SLIMMEST)
    size: NDArray[np.float32] = np.sqrt(np.maximum(area, np.float32(1)))
    return size
