"""Poses drawn into pictures."""

from __future__ import annotations

from collections.abc import Mapping
from colorsys import hsv_to_rgb
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import DrawConfig
from trt_pose_app.errors import DependencyError
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Poses

try:
    import cv2
except ImportError as error:
    raise DependencyError(
        "drawing needs OpenCV",
        hint="pip install opencv-python-headless, or on a Jetson use the system's python3-opencv",
    ) from error

Colour = tuple[int, int, int]

DEFAULT_STYLE = DrawConfig()
_LEFT: Colour = (40, 150, 255)  # orange
_RIGHT: Colour = (255, 170, 40)  # azure: told from orange by colour-blind eyes as well
_MIDDLE: Colour = (225, 225, 225)
_OUTLINE: Colour = (32, 32, 32)
_UNTRACKED: Colour = (90, 200, 60)
_FRACTION_BITS = 3  # sub-pixel coordinates, in eighths
_FARTHEST_PX = 1 << 15  # beyond any frame; OpenCV's fixed-point lines must not overflow


def draw_poses(image: NDArray[np.uint8], poses: Poses, style: DrawConfig = DEFAULT_STYLE) -> NDArray[np.uint8]:
    """Return a copy of ``image`` (H, W, 3) BGR uint8 with the people drawn in, the best on top.

    The person's own left is orange, the right blue. Limbs are as thick as the person is large. Boxes and labels have
    the colour of the track's id, the same in every run.
    """
    canvas: NDArray[np.uint8] = image.copy()
    for i in reversed(range(len(poses))):
        _draw_person(canvas, poses, i, style)
    return canvas


def draw_trails(
    image: NDArray[np.uint8], paths: Mapping[int, NDArray[np.floating]], style: DrawConfig = DEFAULT_STYLE
) -> NDArray[np.uint8]:
    """Return ``image`` (H, W, 3) BGR uint8 with a line along each path in the colour of its id, thin where it is old.

    ``paths`` holds for each id the points (n, 2) px where it has been, oldest first. A copy, unless there is no path.
    """
    lines = {track: path[(np.abs(path) < _FARTHEST_PX).all(axis=1)] for track, path in paths.items()}
    lines = {track: line for track, line in lines.items() if len(line) > 1}
    if not lines:
        return image
    canvas: NDArray[np.uint8] = image.copy()
    widest = style.thickness_px or max(2, round(canvas.shape[0] / 180))
    for track, line in lines.items():
        points = np.round(line * (1 << _FRACTION_BITS)).astype(int).tolist()
        for n, (start, end) in enumerate(pairwise(points), 1):
            thickness = max(1, round(widest * n / len(points)))
            cv2.line(canvas, start, end, track_colour(track), thickness, cv2.LINE_AA, _FRACTION_BITS)
    return canvas


def track_colour(track: int) -> Colour:
    """Return the BGR colour of a track: bright, and far from those of its neighbours in number."""
    if track < 0:
        return _UNTRACKED
    # Steps of the golden angle spread any number of hues evenly.
    red, green, blue = hsv_to_rgb(track * 0.618034 % 1, 0.6, 1)
    return round(255 * blue), round(255 * green), round(255 * red)


def _draw_person(canvas: NDArray[np.uint8], poses: Poses, i: int, style: DrawConfig) -> None:
    xy = poses.xy[i]
    with np.errstate(invalid="ignore"):
        seen = (poses.score[i] > 0) & (poses.score[i] >= style.min_score) & (np.abs(xy) < _FARTHEST_PX).all(axis=1)
    if not seen.any():
        return
    low, high = xy[seen].min(axis=0), xy[seen].max(axis=0)
    thickness = style.thickness_px or _thickness(float((high - low).max()), canvas.shape[0])
    box = poses.box[i]
    if not (np.abs(box) < _FARTHEST_PX).all():
        box = np.concatenate([low, high])
    corners = np.round(box).astype(int).tolist()
    track = int(poses.track[i])
    if style.boxes:
        cv2.rectangle(canvas, corners[:2], corners[2:], track_colour(track), max(1, thickness // 3))
    limb_colours, part_colours = _colours(poses.skeleton)
    points = [(x, y) for x, y in np.round(np.where(seen[:, None], xy, 0) * (1 << _FRACTION_BITS)).astype(int).tolist()]
    limbs = [
        (points[a], points[b], limb_colours[n]) for n, (a, b) in enumerate(poses.skeleton.limbs) if seen[a] and seen[b]
    ]
    # A dark seam keeps limbs readable on any ground.
    for start, end, _ in limbs:
        cv2.line(canvas, start, end, _OUTLINE, thickness + 2, cv2.LINE_AA, _FRACTION_BITS)
    for start, end, colour in limbs:
        cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)
    radius = round((0.5 * thickness + 1.5) * (1 << _FRACTION_BITS))
    for k in np.flatnonzero(seen):
        cv2.circle(canvas, points[k], radius + (1 << _FRACTION_BITS), _OUTLINE, -1, cv2.LINE_AA, _FRACTION_BITS)
        cv2.circle(canvas, points[k], radius, part_colours[k], -1, cv2.LINE_AA, _FRACTION_BITS)
    if style.labels:
        _draw_label(canvas, corners[:2], _label(track, float(poses.person[i])), track_colour(track))


def _thickness(person_px: float, height_px: int) -> int:
    return round(min(max(person_px / 90, 1.5), max(height_px / 120, 1.5)))


def _label(track: int, score: float) -> str:
    return f"{score:.2f}" if track < 0 else f"#{track} {score:.2f}"


def _draw_label(canvas: NDArray[np.uint8], corner: list[int], text: str, colour: Colour) -> None:
    """Write dark on the colour, above ``corner`` and inside the picture."""
    height, width = canvas.shape[:2]
    scale = max(0.4, height / 1400)
    font, weight = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(scale * 1.6))
    (text_width, text_height), baseline = cv2.getTextSize(text, font, scale, weight)
    pad = 3 + baseline // 2
    right, below = text_width + 3 * pad, text_height + 2 * pad  # OpenCV 5 writes a little wider than it says
    x = max(0, min(corner[0], width - right))
    y = max(0, min(corner[1], height) - below - pad)
    cv2.rectangle(canvas, (x, y), (x + right, y + below), colour, cv2.FILLED)
    cv2.putText(canvas, text, (x + pad, y + text_height + pad), font, scale, _OUTLINE, weight, cv2.LINE_AA)


@lru_cache(maxsize=16)
def _colours(skeleton: Skeleton) -> tuple[list[Colour], list[Colour]]:
    """Return the colour of each limb and of each part: by side, a limb that joins both sides belongs to neither."""
    sides = [part.partition("_")[0] for part in skeleton.parts]
    parts = [{"left": _LEFT, "right": _RIGHT}.get(side, _MIDDLE) for side in sides]
    limbs = []
    for a, b in skeleton.limbs:
        colours = {parts[a], parts[b]} - {_MIDDLE}
        limbs.append(colours.pop() if len(colours) == 1 else _MIDDLE)
    return limbs, parts
