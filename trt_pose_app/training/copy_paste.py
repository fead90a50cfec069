"""A person cut out of one photo and pasted into another picture: people behind people, which mosaics never show."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.placement import mapped, mapped_boxes, similarity
from trt_pose_app.training.recipe import AugmentRecipe
from trt_pose_app.training.silhouette import can_be_cut_out, silhouette
from trt_pose_app.training.targets import People

_SIDE = (0.35, 0.95)  # of a pasted person's box, of the picture's side


def paste_person(
    canvas: NDArray[np.uint8],
    parts: list[People],
    donor: tuple[Photo, NDArray[np.uint8]],
    skeleton: Skeleton,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
) -> list[People]:
    """Paste a person of the donor into ``canvas``; return ``parts`` with it, and what it covers uncertain."""
    photo, image = donor
    complete = [i for i, visible in enumerate(photo.visible) if can_be_cut_out(visible, skeleton)]
    if not complete:
        return parts
    person, size = complete[int(rng.integers(len(complete)))], len(canvas)
    low, high = photo.box[person, :2], photo.box[person, 2:]
    scale = size * rng.uniform(*_SIDE) / max(float((high - low).max()), 1.0)
    angle = np.deg2rad(rng.normal(0, recipe.rotation_deg)) if rng.random() < recipe.rotation else 0.0
    mirrored = bool(rng.random() < recipe.flip)
    matrix = similarity((low + high) / 2, rng.uniform(0.15, 0.85, 2) * size, scale, angle, mirrored)
    order = list(skeleton.flip) if mirrored else slice(None)
    xy, visible = mapped(photo.xy[person], matrix)[order], photo.visible[person][order]
    mask = silhouette(xy, visible, skeleton, (size, size))
    layer = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    # Beyond the donor's edge there is nothing to paste.
    mask *= cv2.warpAffine(np.ones(image.shape[:2], np.float32), matrix, (size, size), flags=cv2.INTER_NEAREST)
    canvas[:] = canvas + mask[..., None] * (layer.astype(np.float32) - canvas)
    pasted = People(
        xy[None],
        visible[None],
        mapped_boxes(photo.box[person : person + 1], matrix),
        np.array([[0, 0, size, size]], np.float32),
        np.empty((0, 4), np.float32),
    )
    return [*(replace(p, visible=_covered(p.xy, p.visible, mask > 0.5)) for p in parts), pasted]


def _covered(xy: NDArray[np.float32], visible: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the visibility of people's keypoints behind ``mask``: uncertain, or where it hides most of a person,
    unknown."""
    cell = np.clip(xy.round(), 0, len(mask) - 1).astype(np.intp)
    behind = mask[cell[..., 1], cell[..., 0]] & (visible > 0) & (xy >= 0).all(axis=2) & (xy < len(mask)).all(axis=2)
    gone = behind.sum(axis=1) > 0.5 * (visible > 0).sum(axis=1)
    return np.where(behind, np.where(gone[:, None], 0, 1), visible).astype(np.uint8)
