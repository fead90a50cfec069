"""COCO segmentations as outlines that move with the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError

# Closed rings (n, 2) float32 in pixels; a point is inside that an odd number of them goes round.
Outline = tuple[NDArray[np.float32], ...]


def outlines_of(segmentation: Any) -> tuple[Outline, ...]:
    """Return the outlines of a COCO segmentation: polygons, or a run-length encoding, compressed or not.

    Raises ConfigError for what is neither.
    """
    if isinstance(segmentation, Mapping):
        mask = _decoded(segmentation)
        rings, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        return (tuple(ring.reshape(-1, 2).astype(np.float32) for ring in rings),) if rings else ()
    try:
        return tuple((np.asarray(flat, np.float32).reshape(-1, 2),) for flat in segmentation)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"not a segmentation: {error}", hint="correct the annotation") from error


def fill(outlines: Sequence[Outline], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a picture of ``size`` (width, height) lie inside any of the outlines.

    ``matrix`` (2, 3) maps the outlines' pixels to the picture's.
    """
    inside = np.zeros((size[1], size[0]), np.uint8)
    for rings in outlines:
        # Far outside there is nothing to fill, and cv2 counts in 16 bits less its fraction.
        mapped = [
            np.clip(ring @ matrix[:, :2].T + matrix[:, 2], -8192, 8191).round().astype(np.int32) for ring in rings
        ]
        cv2.fillPoly(inside, mapped, 1)
    return inside.astype(np.bool_)


def _decoded(encoding: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the mask (H, W) of 0 and 1 of a run-length encoding, which counts down the columns."""
    try:
        height, width = (int(side) for side in encoding["size"])
        counts = encoding["counts"]
        if isinstance(counts, str | bytes):
            counts = _decompressed(counts.encode() if isinstance(counts, str) else counts)
        values = np.arange(len(counts)) % 2
        mask: NDArray[np.uint8] = np.repeat(values, counts).astype(np.uint8).reshape(width, height).T.copy()
        return mask
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"not a run-length encoding: {error!r}", hint="correct the annotation") from error


def _decompressed(text: bytes) -> list[int]:
    """Return the counts in COCO's compression: 5 bits a character, lowest first, 32 says that more follow, the last
    one's bit 16 is the sign; from the fourth count on the difference to the last but one."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = character - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts
