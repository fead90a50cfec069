"""Keypoints -> the confidence maps and part affinity fields that a network is to reproduce.

Only cells near a keypoint or a limb are touched: all such cells of a picture are laid out as one flat list, computed
at once and gathered into the maps. That is what makes crowded pictures cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton

Floats = NDArray[np.float32]
_REACH = 3.3  # standard deviations: exp(-3.3^2 / 2) = 0.004
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
    cmap, cmap_sure = _confidence(xy, people.visible, window, (height, width), cmap_sigma, trt_pose=style == "trt_pose")
    paf, strength, paf_sure = _affinity(xy, people.visible, window, skeleton, (height, width), paf_sigma)
    if style == "mean":
        paf /= np.maximum(strength, 1)[:, None]

    cmap_weight = np.where(cmap > cmap_sure + 0.01, np.float32(uncertain_weight), np.float32(1))
    paf_weight = np.where(strength > paf_sure + 0.01, np.float32(uncertain_weight), np.float32(1))
    margin = _BOX_MARGIN * np.max(people.box[:, 2:] - people.box[:, :2], axis=1, initial=0, keepdims=True)
    boxes = _cells(people.box + margin * np.array([-1, -1, 1, 1], np.float32), stride, width, height)
    limbs = np.array(skeleton.limbs, np.intp).reshape(-1, 2)
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


def _confidence(
    xy: Floats,
    visible: NDArray[np.uint8],
    window: NDArray[np.intp],
    shape: tuple[int, int],
    sigma: float,
    *,
    trt_pose: bool,
) -> tuple[Floats, Floats]:
    """Return the maps with and without the uncertain keypoints, each (K, h, w)."""
    person, part = np.nonzero(visible)
    centre = xy[person, part]
    if trt_pose:
        reach = int(5 * np.sqrt(2) * sigma) // 2
        cell = np.floor(centre + 0.5).astype(np.intp)
        bounds = np.concatenate((cell - reach, cell + reach + 1), axis=1)
    else:
        reach_cells = _REACH * sigma
        bounds = np.concatenate((np.ceil(centre - reach_cells), np.floor(centre + reach_cells) + 1), axis=1)
    item, x, y = _spread(bounds, window[person])
    value = np.exp(((x - centre[item, 0]) ** 2 + (y - centre[item, 1]) ** 2) * np.float32(-0.5 / sigma**2))
    flat = (part[item] * shape[0] + y) * shape[1] + x
    k_parts = visible.shape[1]
    full = np.zeros(k_parts * shape[0] * shape[1], np.float32)
    np.maximum.at(full, flat, value)
    sure = np.zeros_like(full)
    certain = visible[person, part][item] == 2
    np.maximum.at(sure, flat[certain], value[certain])
    return full.reshape(k_parts, *shape), sure.reshape(k_parts, *shape)


def _affinity(
    xy: Floats,
    visible: NDArray[np.uint8],
    window: NDArray[np.intp],
    skeleton: Skeleton,
    shape: tuple[int, int],
    sigma: float,
) -> tuple[Floats, Floats, Floats]:
    """Return the summed fields (L, 2, h, w), their summed strengths (L, h, w), and the strengths of sure limbs."""
    limbs = np.array(skeleton.limbs, np.intp).reshape(-1, 2)
    least = np.minimum(visible[:, limbs[:, 0]], visible[:, limbs[:, 1]])
    person, limb = np.nonzero(least)
    start, end = xy[person, limbs[limb, 0]], xy[person, limbs[limb, 1]]
    along = end - start
    length = np.hypot(along[:, 0], along[:, 1])
    unit = along / np.maximum(length, 1e-6)[:, None]
    reach = _REACH * sigma
    bounds = np.concatenate(
        (np.ceil(np.minimum(start, end) - reach), np.floor(np.maximum(start, end) + reach) + 1), axis=1
    )
    item, x, y = _spread(bounds, window[person])
    dx, dy = x - start[item, 0], y - start[item, 1]
    ux, uy = unit[item, 0], unit[item, 1]
    beyond = dx * ux + dy * uy
    beyond -= np.clip(beyond, 0, length[item])
    across = dx * uy - dy * ux
    value = np.exp((beyond**2 + across**2) * np.float32(-0.5 / sigma**2))
    flat = (limb[item] * shape[0] + y) * shape[1] + x
    total = len(limbs) * shape[0] * shape[1]
    strength, field_y, field_x, sure = (
        np.bincount(flat, weights=weights, minlength=total).astype(np.float32).reshape(len(limbs), *shape)
        for weights in (value, value * uy, value * ux, value * (least[person, limb][item] == 2))
    )
    return np.stack((field_y, field_x), axis=1), strength, sure


def _spread(
    bounds: NDArray[np.generic], window: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return (item, x, y) of every cell in every item's rectangle, cut to its window; rectangles are half open."""
    low = np.maximum(bounds[:, :2].astype(np.intp), window[:, :2])
    high = np.minimum(bounds[:, 2:].astype(np.intp), window[:, 2:])
    extent = np.maximum(high - low, 0)
    counts = extent[:, 0] * extent[:, 1]
    item = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(rank, np.maximum(extent[item, 0], 1))
    return item, low[item, 0] + column, low[item, 1] + row


def _cells(boxes: Floats, stride: int, width: int, height: int) -> NDArray[np.intp]:
    """Return the half-open cell rectangles that cover pixel boxes, cut to the map: (N, 4)."""
    cells = np.concatenate((np.floor(boxes[:, :2] / stride), np.ceil(boxes[:, 2:] / stride)), axis=1)
    limits = np.array([width, height, width, height])
    cut: NDArray[np.intp] = np.clip(cells, 0, limits).astype(np.intp)
    return cut
