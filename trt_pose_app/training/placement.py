"""Where a photo lies in a training picture: turned, scaled, shifted and mirrored by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.geometry import Size, invert
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import AugmentRecipe, TrtPosePlacement


def place(
    photo: Photo, tile: Size, recipe: AugmentRecipe, rng: np.random.Generator
) -> tuple[NDArray[np.float64], bool]:
    """Return the (2, 3) affine map photo -> tile and whether it mirrors."""
    if recipe.trt_pose is not None:
        return trt_pose_placement((photo.width, photo.height), tile, recipe.trt_pose, rng), False
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
    aim = (np.array(tile) - 1) / 2 + rng.uniform(-recipe.shift, recipe.shift, 2) * tile
    return similarity(centre, aim, scale, angle, mirrored), mirrored


def similarity(
    centre: NDArray[np.floating], aim: NDArray[np.floating], scale: float, angle: float, mirrored: bool
) -> NDArray[np.float64]:
    """Return the (2, 3) map that lays ``centre`` on ``aim``, turned by ``angle`` radians and mirrored before that."""
    sign = -1.0 if mirrored else 1.0
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[sign * cos, -sin], [sign * sin, cos]])
    return np.concatenate((linear, (aim - linear @ centre)[:, None]), axis=1)


def trt_pose_placement(
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


def mapped(xy: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    mapped: NDArray[np.float32] = (xy @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return mapped


def mapped_boxes(boxes: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    corners = mapped(boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]], matrix)
    return np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
