"""SoftArgmax: heatmaps to coordinates by the mean place under each map's softmax."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DecodeError
from trt_pose_app.geometry import Size


class SoftArgmax:
    """Reads the expected place of every map: what PoseFix is trained with, over the whole map and not around its peak.

    The result differs from the formula in float64 by float32's rounding, less than 1e-3 cells. Memory of the maps' size
    is kept between calls, so one object serves one thread.
    """

    def __init__(self, size: Size) -> None:
        width, height = size
        self._shape = (height, width)
        x, y = np.tile(np.arange(width), height), np.repeat(np.arange(height), width)
        self._grid = np.stack((x, y, np.ones(width * height)), axis=1).astype(np.float32)
        self._exp = np.empty((0, width * height), np.float32)

    def __call__(self, heatmaps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, K, 2) float32 cells, cell centres at integers, of logits (N, K, height, width).

        A map with a NaN, or whose largest value is infinite, has no place: NaN. Raises DecodeError for another shape.
        """
        if heatmaps.ndim != 4 or heatmaps.shape[2:] != self._shape or heatmaps.dtype != np.float32:
            raise DecodeError(
                f"heatmaps are {heatmaps.shape} {heatmaps.dtype}", hint=f"give (N, K, {self._shape}) float32"
            )
        flat = heatmaps.reshape(-1, len(self._grid))
        if len(self._exp) < len(flat):
            self._exp = np.empty_like(flat)
        exp = self._exp[: len(flat)]
        with np.errstate(invalid="ignore"):
            np.subtract(flat, flat.max(axis=1, keepdims=True), out=exp)
            np.exp(exp, out=exp)
            moments = exp @ self._grid
            place: NDArray[np.float32] = moments[:, :2] / moments[:, 2:]
        return place.reshape(*heatmaps.shape[:2], 2)
