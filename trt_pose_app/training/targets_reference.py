"""The target maps of ``targets.draw_targets`` in numpy: what the compiled drawing is tested against.

Only cells near a keypoint or a limb are touched. Each gets a patch of cells; the patches of one person are computed at
once, as large as the largest, and each is added to its map. They fit into the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from trt_pose_app.training.targets import People

Floats = NDArray[np.float32]
_CLEAR = 0.1  # where a known person's target is at least this, another person's unknown joint hides nothing
_BOX_MARGIN = 0.1  # of the box's larger side: annotated boxes cut hands and feet


def draw_targets(
    people: People,
    limb_parts: list[tuple[int, int]],
    *,
    width: int,
    height: int,
    stride: int,
    cmap_sigma: float,
    paf_sigma: float,
    cmap_reach: float,
    paf_reach: float,
    square_window: int,
    uncertain_weight: float,
    mean: bool,
    hide_unknown: bool,
    hide_ignored: bool,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return cmap, paf and their weights for a map of ``width`` x ``height`` cells.

    Cells up to a reach away are touched, or with a ``square_window`` >= 0 those up to as many cells beside a keypoint's
    nearest. Everything else is as ``targets.draw_targets`` says.
    """
    k_parts = people.xy.shape[1]
    offset = (stride - 1) / 2
    xy: Floats = ((people.xy - offset) / stride).astype(np.float32)
    window = _cells(people.window, stride, width, height)
    cmap = np.zeros((k_parts, height, width), np.float32)
    fields = np.zeros((len(limb_parts), 3, height, width), np.float32)  # strength, y, x
    all_sure = not (people.visible == 1).any()
    cmap_sure = None if all_sure else np.zeros_like(cmap)
    strength_sure = None if all_sure else np.zeros_like(fields[:, 0])
    limbs = np.array(limb_parts, np.intp).reshape(-1, 2)
    for person, visible, shown in zip(xy, people.visible, window):
        bounds = _square_window(person, square_window) if square_window >= 0 else _around(person, person, cmap_reach)
        _add_confidence(cmap, cmap_sure, person, visible, _cut(bounds, shown), cmap_sigma)
        start, end = person[limbs[:, 0]], person[limbs[:, 1]]
        bounds = _around(np.minimum(start, end), np.maximum(start, end), paf_reach)
        least = visible[limbs].min(axis=1)
        _add_affinity(fields, strength_sure, start, end, least, _cut(bounds, shown), paf_sigma)
    strength, paf = fields[:, 0], fields[:, 1:]
    if mean:
        paf /= np.maximum(strength, 1)[:, None]

    cmap_weight = _weight(cmap, cmap_sure, uncertain_weight)
    paf_weight = _weight(strength, strength_sure, uncertain_weight)
    if hide_unknown:
        _hide_unknown(people, (cmap, cmap_weight), (strength, paf_weight), limbs, stride, window)
    if hide_ignored:
        for x0, y0, x1, y1 in _cells(people.ignore, stride, width, height):
            cmap_weight[:, y0:y1, x0:x1] = 0
            paf_weight[:, y0:y1, x0:x1] = 0
    return cmap, paf.reshape(-1, height, width), cmap_weight, np.repeat(paf_weight, 2, axis=0)


def _hide_unknown(
    people: People,
    parts: tuple[Floats, Floats],
    fields: tuple[Floats, Floats],
    limbs: NDArray[np.intp],
    stride: int,
    window: NDArray[np.intp],
) -> None:
    """Set the weights (second of each pair) to 0 in people's boxes where their keypoint or limb is unknown."""
    height, width = parts[0].shape[-2:]
    margin = _BOX_MARGIN * np.max(people.box[:, 2:] - people.box[:, :2], axis=1, initial=0, keepdims=True)
    boxes = _cells(people.box + margin * np.array([-1, -1, 1, 1], np.float32), stride, width, height)
    low, high = np.maximum(boxes[:, :2], window[:, :2]), np.minimum(boxes[:, 2:], window[:, 2:])
    for visible, (x0, y0), (x1, y1) in zip(people.visible, low, high):
        for (maps, weight), unknown in ((parts, visible == 0), (fields, (visible[limbs] == 0).any(axis=1))):
            weight[unknown, y0:y1, x0:x1] *= maps[unknown, y0:y1, x0:x1] >= _CLEAR


def _add_confidence(
    cmap: Floats, sure: Floats | None, xy: Floats, visible: NDArray[np.uint8], inside: NDArray[np.intp], sigma: float
) -> None:
    parts = _shown(visible, inside)
    if not len(parts):
        return
    dy, dx = _steps(inside[parts], xy[parts])
    scale = np.float32(-0.5 / sigma**2)
    value = np.exp(dy * dy * scale)[:, :, None] * np.exp(dx * dx * scale)[:, None, :]
    for patch, part, (x0, y0, x1, y1) in zip(value, parts.tolist(), inside[parts].tolist()):
        patch = patch[: y1 - y0, : x1 - x0]
        np.maximum(cmap[part, y0:y1, x0:x1], patch, out=cmap[part, y0:y1, x0:x1])
        if sure is not None and visible[part] == 2:
            np.maximum(sure[part, y0:y1, x0:x1], patch, out=sure[part, y0:y1, x0:x1])


def _add_affinity(
    fields: Floats,
    sure: Floats | None,
    start: Floats,
    end: Floats,
    visible: NDArray[np.uint8],
    inside: NDArray[np.intp],
    sigma: float,
) -> None:
    limbs = _shown(visible, inside)
    if not len(limbs):
        return
    along = end[limbs] - start[limbs]
    length = np.hypot(along[:, 0], along[:, 1])
    unit = along / np.maximum(length, np.float32(1e-6))[:, None]
    ux, uy = unit[:, 0, None, None], unit[:, 1, None, None]
    dy, dx = _steps(inside[limbs], start[limbs])
    # Distance to the segment: across it, and along it beyond its ends.
    beyond = (dx * unit[:, :1])[:, None, :] + (dy * unit[:, 1:])[:, :, None]
    beyond -= np.clip(beyond, 0, length[:, None, None])
    across = (dx * unit[:, 1:])[:, None, :] - (dy * unit[:, :1])[:, :, None]
    beyond *= beyond
    across *= across
    beyond += across
    beyond *= np.float32(-0.5 / sigma**2)
    value = np.exp(beyond, out=beyond)
    for patch, limb, (x0, y0, x1, y1) in zip(
        np.stack((value, value * uy, value * ux), axis=1), limbs.tolist(), inside[limbs].tolist()
    ):
        patch = patch[:, : y1 - y0, : x1 - x0]
        fields[limb, :, y0:y1, x0:x1] += patch
        if sure is not None and visible[limb] == 2:
            sure[limb, y0:y1, x0:x1] += patch[0]


def _shown(visible: NDArray[np.uint8], inside: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the indices of what is known and has a cell at all."""
    return np.flatnonzero((visible > 0) & (inside[:, 2:] > inside[:, :2]).all(axis=1))


def _steps(inside: NDArray[np.intp], origin: Floats) -> tuple[Floats, Floats]:
    """Return how far rows (n, a) and columns (n, b) of patches lie from origins (n, 2), in cells.

    Patches begin at their rectangles' corners and are as large as the largest.
    """
    n_columns, n_rows = (inside[:, 2:] - inside[:, :2]).max(axis=0)
    corner = (inside[:, :2] - origin).astype(np.float32)
    rows, columns = np.arange(n_rows, dtype=np.float32), np.arange(n_columns, dtype=np.float32)
    return corner[:, 1:] + rows, corner[:, :1] + columns


def _weight(maps: Floats, sure: Floats | None, uncertain_weight: float) -> Floats:
    """Return the loss weight of each cell: 1, or less where only uncertain keypoints speak."""
    if sure is None:
        return np.ones(maps.shape, np.float32)
    weight: Floats = np.where(maps > sure + 0.01, np.float32(uncertain_weight), np.float32(1))
    return weight


def _cut(bounds: NDArray[np.intp], window: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.concatenate((np.maximum(bounds[:, :2], window[:2]), np.minimum(bounds[:, 2:], window[2:])), axis=1)


def _around(low: Floats, high: Floats, reach: float) -> NDArray[np.intp]:
    """Return the half-open rectangles of the cells whose centres lie within ``reach`` of low..high, (N, 4)."""
    return np.concatenate((np.ceil(low - reach), np.floor(high + reach) + 1), axis=1).astype(np.intp)


def _square_window(centre: Floats, reach: int) -> NDArray[np.intp]:
    cell = np.floor(centre + 0.5).astype(np.intp)
    return np.concatenate((cell - reach, cell + reach + 1), axis=1)


def _cells(boxes: Floats, stride: int, width: int, height: int) -> NDArray[np.intp]:
    """Return the half-open cell rectangles that cover pixel boxes, cut to the map: (N, 4)."""
    cells = np.concatenate((np.floor(boxes[:, :2] / stride), np.ceil(boxes[:, 2:] / stride)), axis=1)
    limits = np.array([width, height, width, height])
    cut: NDArray[np.intp] = np.clip(cells, 0, limits).astype(np.intp)
    return cut
