"""A training picture: one, two or four photos, each turned, scaled, shifted and mirrored, then disturbed."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.geometry import Size, invert
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import AugmentRecipe, TrtPosePlacement
from trt_pose_app.training.targets import People

Image = NDArray[np.uint8]
FILL = 128  # what the run time pads with


def compose(
    photos: Sequence[tuple[Photo, Image]],
    size: int,
    skeleton: Skeleton,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
) -> tuple[Image, People]:
    """Return a picture (size, size, 3) BGR made of one, two or four photos, and its people in its pixels."""
    fill = 0 if recipe.trt_pose else FILL
    canvas = np.full((size, size, 3), fill, np.uint8)
    parts = []
    for (photo, image), (x0, y0, x1, y1) in zip(photos, _tiles(len(photos), size, rng)):
        matrix, mirrored = _placement(photo, (x1 - x0, y1 - y0), recipe, rng)
        cv2.warpAffine(
            image, matrix, (x1 - x0, y1 - y0), dst=canvas[y0:y1, x0:x1],
            flags=cv2.INTER_LINEAR,  # as the run time resizes
            borderMode=cv2.BORDER_CONSTANT, borderValue=(fill,) * 3,
        )  # fmt: skip
        matrix[:, 2] += (x0, y0)
        order = list(skeleton.flip) if mirrored else slice(None)
        parts.append(
            People(
                _mapped(photo.xy, matrix)[:, order],
                photo.visible[:, order],
                _mapped_boxes(photo.box, matrix),
                np.tile(np.array([x0, y0, x1, y1], np.float32), (len(photo.xy), 1)),
                _cut(_mapped_boxes(photo.ignore, matrix), (x0, y0, x1, y1)),
            )
        )
    people = People(
        *(np.concatenate([getattr(p, field) for p in parts]) for field in ("xy", "visible", "box", "window", "ignore"))
    )
    return _disturb(canvas, recipe, rng), people


def choose_count(recipe: AugmentRecipe, rng: np.random.Generator) -> int:
    """Return how many photos the next picture is made of: 1, 2 or 4."""
    draw = rng.random()
    if draw < recipe.mosaic_four:
        return 4
    return 2 if draw < recipe.mosaic_four + recipe.mosaic_two else 1


def _tiles(count: int, size: int, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    if count == 1:
        return [(0, 0, size, size)]
    x, y = (round(size * rng.uniform(0.38, 0.62)) for _ in range(2))
    if count == 2:
        if rng.random() < 0.7:  # side by side: people are taller than wide
            return [(0, 0, x, size), (x, 0, size, size)]
        return [(0, 0, size, y), (0, y, size, size)]
    return [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]


def _placement(
    photo: Photo, tile: Size, recipe: AugmentRecipe, rng: np.random.Generator
) -> tuple[NDArray[np.float64], bool]:
    """Return the (2, 3) affine map photo -> tile and whether it mirrors."""
    if recipe.trt_pose is not None:
        return _trt_pose_placement((photo.width, photo.height), tile, recipe.trt_pose, rng), False
    # Between just fitting and just covering.
    scale = np.sqrt(tile[0] / photo.width * tile[1] / photo.height)
    scale *= np.exp(rng.uniform(np.log(recipe.scale_min), np.log(recipe.scale_max)))
    centre = np.array([photo.width - 1, photo.height - 1]) / 2
    if rng.random() < recipe.wander:
        centre = rng.uniform((0, 0), (photo.width, photo.height))
        scale *= rng.uniform(1.0, recipe.close_up_scale_max)
    elif len(photo.xy):
        person = int(rng.integers(len(photo.xy)))
        centre = (photo.box[person, :2] + photo.box[person, 2:]) / 2
        if rng.random() < recipe.close_up:
            known = np.flatnonzero(photo.visible[person])
            centre = photo.xy[person, known[rng.integers(len(known))]].astype(np.float64)
            scale *= rng.uniform(1.3, max(1.3, recipe.close_up_scale_max))
    angle = np.deg2rad(rng.normal(0, recipe.rotation_deg)) if rng.random() < recipe.rotation else 0.0
    mirrored = bool(rng.random() < recipe.flip)
    sign = -1.0 if mirrored else 1.0
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[sign * cos, -sin], [sign * sin, cos]])
    aim = (np.array(tile) - 1) / 2 + rng.uniform(-recipe.shift, recipe.shift, 2) * tile
    return np.concatenate((linear, (aim - linear @ centre)[:, None]), axis=1), mirrored


def _trt_pose_placement(
    photo: Size, tile: Size, ranges: TrtPosePlacement, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the map photo -> tile that trt_pose's trainer draws.

    It goes the other way: a corner of the picture, as a share of its sides from the middle, is turned, shifted and
    scaled and so is a share of the photo's sides. Turning shares, not pixels, shears photos that are not square.
    """
    angle, scale = rng.uniform(*ranges.angle), rng.uniform(*ranges.scale)
    shift = rng.uniform(*ranges.translate, 2)
    aspect = photo[0] / photo[1] if ranges.keep_aspect_ratio else 1.0
    widened = np.diag([max(1.0, 1 / aspect), max(1.0, aspect)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = np.diag(photo) @ (scale * turn @ widened) @ np.diag(1 / np.array(tile))
    # Pixel centres lie half a pixel inside the edges that shares are counted from.
    offset = np.array(photo) * (scale * shift + 0.5) - linear @ (np.array(tile) / 2) + linear @ (0.5, 0.5) - 0.5
    return invert(np.concatenate((linear, offset[:, None]), axis=1))


def _disturb(image: Image, recipe: AugmentRecipe, rng: np.random.Generator) -> Image:
    gain = rng.uniform(1 - recipe.contrast, 1 + recipe.contrast) * np.ones(3)
    if rng.random() < 0.3:
        gain *= rng.uniform(1 - recipe.channel_gain, 1 + recipe.channel_gain, 3)
    shift = 110 * rng.uniform(-recipe.brightness, recipe.brightness)
    # Contrast turns about mid grey.
    table = np.clip((np.arange(256)[:, None] - FILL) * gain + FILL + shift, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table.reshape(1, 256, 3))
    if rng.random() < recipe.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < recipe.blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < recipe.jpeg:
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < recipe.cutout:
        size = len(image)
        w, h = rng.integers(size // 12, size // 4, 2)
        x, y = rng.integers(0, size - w), rng.integers(0, size - h)
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return image


def _mapped(xy: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    mapped: NDArray[np.float32] = (xy @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return mapped


def _mapped_boxes(boxes: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    corners = _mapped(boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]], matrix)
    return np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)


def _cut(boxes: NDArray[np.float32], window: tuple[int, int, int, int]) -> NDArray[np.float32]:
    low, high = (np.tile(np.array(corner, np.float32), 2) for corner in (window[:2], window[2:]))
    return np.clip(boxes, low, high)
