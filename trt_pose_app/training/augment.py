"""A training picture: one, two or four photos, each turned, scaled, shifted and mirrored, then disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.copy_paste import paste_person
from trt_pose_app.training.outlines import fill
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.placement import mapped, mapped_boxes, place
from trt_pose_app.training.recipe import AugmentRecipe
from trt_pose_app.training.targets import People

Image = NDArray[np.uint8]
FILL = 128  # what the run time pads with


def compose(
    photos: Sequence[tuple[Photo, Image]],
    size: int,
    skeleton: Skeleton,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
    donor: tuple[Photo, Image] | None = None,
) -> tuple[Image, People]:
    """Return a picture (size, size, 3) BGR made of one, two or four photos, and its people in its pixels.

    Of ``donor`` one person is pasted in, where one is labelled well enough to be cut out.
    """
    border = 0 if recipe.trt_pose else FILL
    canvas = np.full((size, size, 3), border, np.uint8)
    parts = []
    hidden = np.zeros((size, size), np.bool_) if any(photo.outlines for photo, _ in photos) else None
    for (photo, image), (x0, y0, x1, y1) in zip(photos, _tiles(len(photos), size, rng)):
        matrix, mirrored = place(photo, (x1 - x0, y1 - y0), recipe, rng)
        cv2.warpAffine(
            image, matrix, (x1 - x0, y1 - y0), dst=canvas[y0:y1, x0:x1],
            flags=cv2.INTER_LINEAR,  # as the run time resizes
            borderMode=cv2.BORDER_CONSTANT, borderValue=(border,) * 3,
        )  # fmt: skip
        if hidden is not None:
            hidden[y0:y1, x0:x1] = fill(photo.outlines, matrix, (x1 - x0, y1 - y0))
        matrix[:, 2] += (x0, y0)
        order = list(skeleton.flip) if mirrored else slice(None)
        parts.append(
            People(
                mapped(photo.xy, matrix)[:, order],
                photo.visible[:, order],
                mapped_boxes(photo.box, matrix),
                np.tile(np.array([x0, y0, x1, y1], np.float32), (len(photo.xy), 1)),
                _cut(mapped_boxes(photo.ignore, matrix), (x0, y0, x1, y1)),
            )
        )
    if donor is not None:
        parts = paste_person(canvas, parts, donor, skeleton, recipe, rng)
    people = People(
        *(np.concatenate([getattr(p, field) for p in parts]) for field in ("xy", "visible", "box", "window", "ignore"))
    )
    return disturb(canvas, recipe, rng), replace(people, hidden=hidden)


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


def disturb(image: Image, recipe: AugmentRecipe, rng: np.random.Generator) -> Image:
    """Return a square picture with other light and colours, softened, compressed or partly covered, by chance."""
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


def _cut(boxes: NDArray[np.float32], window: tuple[int, int, int, int]) -> NDArray[np.float32]:
    low, high = (np.tile(np.array(corner, np.float32), 2) for corner in (window[:2], window[2:]))
    return np.clip(boxes, low, high)
