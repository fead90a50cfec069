"""HeatmapDecoder: one map per keypoint to coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.keypoints import Keypoints, as_float32

Refine = Literal["none", "quarter", "dark"]

BLUR_CELLS = 11  # DARK's window for targets of sigma 2, as in mmpose
BLUR_SIGMA = 2.0  # what OpenCV takes for a window of 11


class HeatmapDecoder:
    """Reads the highest cell of each map, and where between cells the peak lies, as mmpose does.

    ``refine``: ``quarter`` moves a quarter of a cell towards the higher neighbour; ``dark`` takes Newton's step on the
    logarithm of the blurred map (Zhang et al. 2020). ``stride`` and ``map_offset`` as in ``Geometry.cell_to_frame``.
    """

    def __init__(self, *, stride: int = 4, map_offset: float = 0.0, refine: Refine = "quarter") -> None:
        self._stride = np.float32(stride)
        self._shift = np.float32(map_offset * stride - map_offset)
        self._refine = refine

    def decode(self, outputs: Mapping[str, NDArray[Any]]) -> Keypoints:
        """Return the keypoints of N people from ``heatmap`` (N, K, height, width).

        Pixels of the network's input; a map without a value above 0 has no keypoint. Raises DecodeError for another
        shape or dtype.
        """
        maps = as_float32(outputs, "heatmap", 4)
        people, parts, height, width = maps.shape
        flat = maps.reshape(people, parts, height * width)
        at = flat.argmax(axis=2)
        score = np.take_along_axis(flat, at[..., None], axis=2)[..., 0]
        y, x = np.divmod(at, width)
        cells = np.stack([x, y], axis=2).astype(np.float32)
        if self._refine == "quarter":
            cells += _quarter(maps, x, y)
        elif self._refine == "dark":
            cells += _newton_step(maps, x, y)
        return Keypoints.of(cells * self._stride + self._shift, score)


def _quarter(maps: NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the shift (N, K, 2) in cells towards the higher neighbours. mmpose's bounds, which are not symmetric."""
    height, width = maps.shape[2:]
    pick = _Picker(maps, x, y)
    with np.errstate(invalid="ignore"):  # inf - inf: no step, see the sign of NaN below
        dx, dy = pick(1, 0) - pick(-1, 0), pick(0, 1) - pick(0, -1)
    # Written with > and <, so that NaN makes no step.
    step = np.stack([(dx > 0) * 0.25 - (dx < 0) * 0.25, (dy > 0) * 0.25 - (dy < 0) * 0.25], axis=2)
    step[..., 0] *= (x > 1) & (x < width - 1) & (y > 0)
    step[..., 1] *= (y > 1) & (y < height - 1) & (x > 0)
    return step.astype(np.float32)


def _newton_step(maps: NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the shift (N, K, 2) in cells to the top of the parabola through the logarithm of the blurred map."""
    height, width = maps.shape[2:]
    log = _log_of_blurred(maps, x, y)
    at = {(dx, dy): log[:, :, 2 + dy, 2 + dx] for dx in range(-2, 3) for dy in range(-2, 3)}
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gx, gy = 0.5 * (at[1, 0] - at[-1, 0]), 0.5 * (at[0, 1] - at[0, -1])
        xx = 0.25 * (at[2, 0] - 2 * at[0, 0] + at[-2, 0])
        yy = 0.25 * (at[0, 2] - 2 * at[0, 0] + at[0, -2])
        xy = 0.25 * (at[1, 1] - at[-1, 1] - at[1, -1] + at[-1, -1])
        det = xx * yy - xy * xy
        step = np.stack([(xy * gy - yy * gx) / det, (xy * gx - xx * gy) / det], axis=2)
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    usable = inside[..., None] & np.isfinite(step).all(axis=2, keepdims=True)
    return np.where(usable, step, 0).astype(np.float32)


def _log_of_blurred(maps: NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the logarithm of the Gaussian-blurred maps in the 5 x 5 cells around the peaks: (N, K, 5, 5).

    Only these cells are blurred. mmpose also scales the blurred map to its old maximum, which moves no peak.
    """
    radius = BLUR_CELLS // 2
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / BLUR_SIGMA) ** 2)
    taps /= taps.sum()
    blur = np.array([np.pad(taps, (i, 4 - i)) for i in range(5)])  # 5 results out of 15 cells
    reach = np.arange(-radius - 2, radius + 3)
    pick = _Picker(maps, x, y, outside=0.0)
    window = pick(reach[None, :], reach[:, None]).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        blurred = blur @ window @ blur.T
        log: NDArray[np.float64] = np.log(np.maximum(blurred, 1e-10))
    return log


class _Picker:
    """Reads the maps at steps from their peaks; beyond the border the nearest cell, or ``outside``."""

    def __init__(
        self, maps: NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp], outside: float | None = None
    ) -> None:
        self._maps, self._x, self._y, self._outside = maps, x, y, outside
        self._n, self._k = np.ogrid[: maps.shape[0], : maps.shape[1]]

    def __call__(self, dx: int | NDArray[np.intp], dy: int | NDArray[np.intp]) -> NDArray[np.float32]:
        height, width = self._maps.shape[2:]
        grown = (..., *(None,) * np.ndim(dx))
        x, y = self._x[grown] + dx, self._y[grown] + dy
        values: NDArray[np.float32] = self._maps[
            self._n[grown], self._k[grown], np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        ]
        if self._outside is None:
            return values
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        values[~inside] = self._outside
        return values
