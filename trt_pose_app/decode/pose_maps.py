"""PoseMaps: poses drawn as one Gaussian per keypoint, into memory that is kept."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DecodeError
from trt_pose_app.geometry import Size


class PoseMaps:
    """Draws the keypoints of people as ``peak * exp(-d^2 / 2 sigma^2)``, d the distance in cells: PoseFix's input.

    A Gaussian is the product of one along x and one along y, and nothing but a window of ``reach`` sigmas around the
    keypoint is touched: beyond it a map is 0, where the formula says at most ``peak * exp(-reach^2 / 2)``, which is
    0.011 of the peak for a reach of 3 and 0.0003 for 4. Inside, the two differ by float32's rounding, 1e-3 of 255.

    The buffer is kept and only the last call's windows are erased from it, so one object serves one thread.
    """

    def __init__(self, size: Size, sigma: float, *, peak: float = 255.0, reach: float = 3.0) -> None:
        self._width, self._height = size
        self._exponent = np.float32(-0.5 / sigma**2)
        self._peak = np.float32(peak)
        self._radius = math.ceil(reach * sigma)
        self._buffer = np.zeros((0, 0, self._height, self._width), np.float32)
        self._drawn: list[NDArray[np.float32]] = []

    def __call__(self, xy: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return maps (N, K, height, width) float32, valid until the next call.

        ``xy`` (N, K, 2) in cells, cell centres at integers. The map of a keypoint that is not ``valid`` (N, K), or
        whose coordinates are not finite, is 0 everywhere. Raises DecodeError for other shapes.
        """
        if xy.ndim != 3 or xy.shape[2] != 2 or valid.shape != xy.shape[:2]:
            raise DecodeError(f"xy is {xy.shape} and valid is {valid.shape}", hint="give (N, K, 2) and (N, K)")
        maps = self._blank(*valid.shape)
        with np.errstate(invalid="ignore"):  # NaN and infinity are beyond the edges too
            limits = np.array([self._width, self._height]) - 0.5 + self._radius
            near = valid & ((xy > -0.5 - self._radius) & (xy < limits)).all(axis=2)
        people, parts = np.nonzero(near)
        places = xy[people, parts].astype(np.float32)
        first = np.rint(places).astype(np.intp) - self._radius
        steps = np.arange(2 * self._radius + 1)
        offset = (first[:, :, None] + steps).astype(np.float32) - places[:, :, None]
        gaussian = np.exp(self._exponent * offset * offset)
        across, down = gaussian[:, 0], gaussian[:, 1, :, None] * self._peak
        low = np.maximum(-first, 0)
        high = np.minimum(np.array([self._width, self._height]) - first, len(steps))
        rows = zip(people.tolist(), parts.tolist(), first.tolist(), low.tolist(), high.tolist())
        for i, (person, part, (x, y), (left, top), (right, bottom)) in enumerate(rows):
            window = maps[person, part, y + top : y + bottom, x + left : x + right]
            np.multiply(down[i, top:bottom], across[i, left:right], out=window)
            self._drawn.append(window)
        return maps

    def _blank(self, n_people: int, k_parts: int) -> NDArray[np.float32]:
        """Return room for so many maps, all 0."""
        for window in self._drawn:
            window.fill(0)
        self._drawn.clear()
        if len(self._buffer) < n_people or self._buffer.shape[1] != k_parts:
            self._buffer = np.zeros((n_people, k_parts, self._height, self._width), np.float32)
        return self._buffer[:n_people]
