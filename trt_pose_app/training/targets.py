"""Keypoints -> the confidence maps and part affinity fields that a network is to reproduce.

Only cells near a keypoint or a limb are touched. Each gets a patch of cells, and the patches of one person are computed
at once: they are of different channels, so no cell occurs twice, and they fit into the processor's cache. That is what
makes crowded pictures cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton

Floats = NDArray[np.float32]
# How far from a keypoint or limb cells are touched, in standard deviations. exp(-3.3^2 / 2) = 0.004;
# trt_pose draws fields over the whole map, which 4 standard deviations match to 3e-4.
_REACH = {"mean": 3.3, "trt_pose": 4.0}
_CLEAR = 0.1  # where a known person's target is at least this, another person's unknown joint hides nothing
_BOX_MARGIN = 0.1  # of the box's larger side: annotated boxes cut hands and feet


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The people of one training picture, in pixels of that picture.

    ``xy`` (P, K, 2); ``visible`` (P, K) uint8, 0 unknown, 1 uncertain, 2 sure; ``box`` (P, 4) x0, y0, x1, y1;
    ``window`` (P, 4) the part of the picture that shows this person's photo; ``ignore`` (Q, 4) boxes about which
    nothing is known.
    """

    xy: Floats
    visible: NDArray[np.uint8]
    box: Floats
    window: Floats
    ignore: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """``cmap`` (K, h, w) and ``paf`` (2L, h, w; y before x as in trt_pose), with the loss weight of every cell."""

    cmap: Floats
    paf: Floats
    cmap_weight: Floats
    paf_weight: Floats


def draw_targets(
    people: People,
    skeleton: Skeleton,
    size: tuple[int, int],
    stride: int,
    *,
    cmap_sigma: float,
    paf_sigma: float,
    uncertain_weight: float = 1.0,
    style: Literal["mean", "trt_pose"] = "mean",
) -> Targets:
    """Return the maps for a picture of ``size`` (width, height).

    A cell i stands for pixel ``stride * i + (stride - 1) / 2``. Confidence maps are the maximum over people of
    exp(-d^2 / 2 sigma^2). Fields are exp(-d^2 / 2 sigma^2) times the limb's unit vector, d the distance to the
    segment; where limbs of one kind overlap the style ``mean`` never exceeds length 1 and ``trt_pose`` adds up.
    ``trt_pose`` also cuts confidence maps to its square window of int(5 s) cells, s = sqrt(2) sigma.
    The weight is 0 where a person's keypoint is unknown (in the person's box, except on another person's known
    keypoint of that kind) and inside ``ignore``.
    """
    width, height = size[0] // stride, size[1] // stride
    offset = (stride - 1) / 2
    xy: Floats = ((people.xy - offset) / stride).astype(np.float32)
    window = _cells(people.window, stride, width, height)
    cmap, cmap_sure = (np.zeros((len(skeleton), height, width), np.float32) for _ in range(2))
    strength, paf_sure = (np.zeros((len(skeleton.limbs), height, width), np.float32) for _ in range(2))
    paf = np.zeros((len(skeleton.limbs), 2, height, width), np.float32)
    limbs = np.array(skeleton.limbs, np.intp).reshape(-1, 2)
    for person, visible, shown in zip(xy, people.visible, window):
        if style == "trt_pose":
            bounds = _square_window(person, int(5 * np.sqrt(2) * cmap_sigma) // 2)
        else:
            bounds = _around(person, person, _REACH[style] * cmap_sigma)
        _add_confidence(cmap, cmap_sure, person, visible, _Patches.of(bounds, shown), cmap_sigma)
        start, end = person[limbs[:, 0]], person[limbs[:, 1]]
        bounds = _around(np.minimum(start, end), np.maximum(start, end), _REACH[style] * paf_sigma)
        least = visible[limbs].min(axis=1)
        _add_affinity(paf, strength, paf_sure, start, end, least, _Patches.of(bounds, shown), paf_sigma)
    if style == "mean":
        paf /= np.maximum(strength, 1)[:, None]

    cmap_weight = np.where(cmap > cmap_sure + 0.01, np.float32(uncertain_weight), np.float32(1))
    paf_weight = np.where(strength > paf_sure + 0.01, np.float32(uncertain_weight), np.float32(1))
    margin = _BOX_MARGIN * np.max(people.box[:, 2:] - people.box[:, :2], axis=1, initial=0, keepdims=True)
    boxes = _cells(people.box + margin * np.array([-1, -1, 1, 1], np.float32), stride, width, height)
    low, high = np.maximum(boxes[:, :2], window[:, :2]), np.minimum(boxes[:, 2:], window[:, 2:])
    for person, ((x0, y0), (x1, y1)) in enumerate(zip(low, high)):
        unknown = people.visible[person] == 0
        cmap_weight[unknown, y0:y1, x0:x1] *= cmap[unknown, y0:y1, x0:x1] >= _CLEAR
        unknown_limb = unknown[limbs].any(axis=1)
        paf_weight[unknown_limb, y0:y1, x0:x1] *= strength[unknown_limb, y0:y1, x0:x1] >= _CLEAR
    for x0, y0, x1, y1 in _cells(people.ignore, stride, width, height):
        cmap_weight[:, y0:y1, x0:x1] = 0
        paf_weight[:, y0:y1, x0:x1] = 0
    return Targets(cmap, paf.reshape(-1, height, width), cmap_weight, np.repeat(paf_weight, 2, axis=0))


def _add_confidence(
    cmap: Floats, cmap_sure: Floats, xy: Floats, visible: NDArray[np.uint8], patches: _Patches, sigma: float
) -> None:
    known = np.flatnonzero((visible > 0) & patches.any)
    if not len(known):
        return
    rows, columns, shown_rows, shown_columns = patches.cells(known)
    scale = np.float32(-0.5 / sigma**2)
    down = np.exp((rows - xy[known, 1, None]) ** 2 * scale) * shown_rows  # separable: two short exponentials do
    right = np.exp((columns - xy[known, 0, None]) ** 2 * scale) * shown_columns
    value = down[:, :, None] * right[:, None, :]
    cells = _flat(known, rows, columns, cmap.shape[-2:])
    flat = cmap.reshape(-1)
    flat[cells] = np.maximum(flat[cells], value)
    value *= (visible[known] == 2)[:, None, None]
    flat = cmap_sure.reshape(-1)
    flat[cells] = np.maximum(flat[cells], value)


def _add_affinity(
    paf: Floats,
    strength: Floats,
    paf_sure: Floats,
    start: Floats,
    end: Floats,
    visible: NDArray[np.uint8],
    patches: _Patches,
    sigma: float,
) -> None:
    known = np.flatnonzero((visible > 0) & patches.any)
    if not len(known):
        return
    rows, columns, shown_rows, shown_columns = patches.cells(known)
    along = end[known] - start[known]
    length = np.hypot(along[:, 0], along[:, 1])
    unit = along / np.maximum(length, np.float32(1e-6))[:, None]
    ux, uy = unit[:, 0, None, None], unit[:, 1, None, None]
    dx = (columns - start[known, 0, None]).astype(np.float32)[:, None, :]
    dy = (rows - start[known, 1, None]).astype(np.float32)[:, :, None]
    beyond = dx * ux + dy * uy
    beyond -= np.clip(beyond, 0, length[:, None, None])
    across = dx * uy - dy * ux
    value = np.exp((beyond * beyond + across * across) * np.float32(-0.5 / sigma**2))
    value *= shown_rows[:, :, None] & shown_columns[:, None, :]
    shape = paf.shape[-2:]
    for part, component in ((0, uy), (1, ux)):
        paf.reshape(-1)[_flat(2 * known + part, rows, columns, shape)] += value * component
    cells = _flat(known, rows, columns, shape)
    strength.reshape(-1)[cells] += value
    value *= (visible[known] == 2)[:, None, None]
    paf_sure.reshape(-1)[cells] += value


@dataclass(frozen=True, slots=True, eq=False)
class _Patches:
    """One person's rectangles of cells (x0, y0, x1, y1; half open) inside the window that shows the person."""

    inside: NDArray[np.intp]
    window: NDArray[np.intp]
    any: NDArray[np.bool_]

    @classmethod
    def of(cls, bounds: NDArray[np.intp], window: NDArray[np.intp]) -> _Patches:
        low, high = np.maximum(bounds[:, :2], window[:2]), np.minimum(bounds[:, 2:], window[2:])
        return cls(np.concatenate((low, high), axis=1), window, np.asarray((high > low).all(axis=1)))

    def cells(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """Return the rows (n, a) and columns (n, b) of patches of one size that hold the rectangles, and which count.

        Patches stay in the window.
        """
        inside = self.inside[chosen]
        n_columns, n_rows = (inside[:, 2:] - inside[:, :2]).max(axis=0)
        rows = np.minimum(inside[:, 1, None], self.window[3] - n_rows) + np.arange(n_rows)
        columns = np.minimum(inside[:, 0, None], self.window[2] - n_columns) + np.arange(n_columns)
        return (
            rows,
            columns,
            (rows >= inside[:, 1, None]) & (rows < inside[:, 3, None]),
            (columns >= inside[:, 0, None]) & (columns < inside[:, 2, None]),
        )


def _around(low: Floats, high: Floats, reach: float) -> NDArray[np.intp]:
    """Return the half-open rectangles of the cells whose centres lie within ``reach`` of low..high, (N, 4)."""
    return np.concatenate((np.ceil(low - reach), np.floor(high + reach) + 1), axis=1).astype(np.intp)


def _square_window(centre: Floats, reach: int) -> NDArray[np.intp]:
    cell = np.floor(centre + 0.5).astype(np.intp)
    return np.concatenate((cell - reach, cell + reach + 1), axis=1)


def _flat(
    channel: NDArray[np.intp], rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[np.intp]:
    """Return the flat indices (n, a, b) of patches in maps (channels, h, w)."""
    flat: NDArray[np.intp] = ((channel[:, None] * shape[0] + rows) * shape[1])[:, :, None] + columns[:, None, :]
    return flat


def _cells(boxes: Floats, stride: int, width: int, height: int) -> NDArray[np.intp]:
    """Return the half-open cell rectangles that cover pixel boxes, cut to the map: (N, 4)."""
    cells = np.concatenate((np.floor(boxes[:, :2] / stride), np.ceil(boxes[:, 2:] / stride)), axis=1)
    limits = np.array([width, height, width, height])
    cut: NDArray[np.intp] = np.clip(cells, 0, limits).astype(np.intp)
    return cut
