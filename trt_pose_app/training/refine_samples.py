"""RefineSamples: crops of people with wrong poses in them, for training a refiner. Number n is always the same one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from trt_pose_app.decode.overlap import iou
from trt_pose_app.decode.pose_boxes import pose_boxes
from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.augment import FILL, disturb
from trt_pose_app.training.coco import KeypointData, TrainingData
from trt_pose_app.training.half_body import has_legs, legs_box, shorten_legs
from trt_pose_app.training.joint_dropout import drop_joints
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.placement import mapped, mapped_boxes, similarity
from trt_pose_app.training.pose_errors import PoseErrors
from trt_pose_app.training.recipe import Recipe, RefineRecipe
from trt_pose_app.training.recorded_poses import RecordedPoses
from trt_pose_app.training.training_photos import TrainingPhotos

OVERLAPPING = 0.1  # least IoU of the boxes of people whose keypoints are swapped, as published


@dataclass(frozen=True, slots=True, eq=False)
class WrongPerson:
    """A person with errors: ``xy`` (K, 2) float32 pixels of the photo, ``valid`` (K,), a box to cover or None."""

    xy: NDArray[np.float32]
    valid: NDArray[np.bool_]
    covered: tuple[float, float, float, float] | None = None


def synthesise(
    photo: Photo,
    person: int,
    errors: PoseErrors,
    skeleton: Skeleton,
    recipe: RefineRecipe,
    rng: np.random.Generator,
    recorded: NDArray[np.float32] | None = None,
) -> WrongPerson:
    """Return ``person`` of ``photo`` as some estimator might have got it."""
    box, labelled = photo.box[person], photo.visible[person] > 0
    near = iou(box, photo.box) >= OVERLAPPING
    near[person] = False
    wrong = errors(
        photo.xy[person],
        labelled,
        float(np.prod(box[2:] - box[:2])),
        rng,
        near=photo.xy[near],
        near_labelled=photo.visible[near] > 0,
        recorded=recorded,
    )
    # No place can be found for any part only where people lie exactly upon one another.
    xy, valid = (wrong.xy, wrong.valid) if wrong.valid.any() else (photo.xy[person], labelled)
    if rng.random() < recipe.dropout:
        valid = drop_joints(valid, recipe.dropout_most, rng)
    if rng.random() >= recipe.half_body or not has_legs(skeleton):
        return WrongPerson(xy, valid)
    return WrongPerson(shorten_legs(xy, skeleton), valid, legs_box(photo.xy[person], labelled, skeleton))


class RefineSamples(Dataset[tuple[torch.Tensor, ...]]):
    """Sample (n, size) -> crop (3, size, size) uint8 BGR, wrong pose (K, 2), validity (K,), true pose (K, 2), weight.

    Coordinates are pixels of the crop. As at run time, the crop is laid around the wrong pose. Keypoints that are
    unlabelled or outside the crop have weight 0, uncertain ones ``targets.uncertain_weight``. Photos come in the order
    that ``Samples`` has, those without a labelled person left out; of each, one person is chosen.
    """

    def __init__(self, data: TrainingData, recipe: Recipe, refine: RefineRecipe) -> None:
        self._skeleton, self._recipe, self._refine = data.main.skeleton, recipe, refine
        labelled = TrainingData(
            _with_labels(data.main), tuple((_with_labels(more), share) for more, share in data.more)
        )
        self._photos = TrainingPhotos(labelled, recipe.data.cache_gb)
        self._errors = PoseErrors(self._skeleton)
        self._recorded = None
        if refine.recorded is not None:
            self._recorded = RecordedPoses.read(refine.recorded, recipe.data.annotations, len(self._skeleton))

    def __len__(self) -> int:
        return self._recipe.schedule.steps * self._recipe.schedule.batch

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        number, size = key
        recipe, refine = self._recipe, self._refine
        rng = np.random.default_rng((recipe.schedule.seed, number))
        index = self._photos.exchanged(self._photos.in_turn(recipe.schedule.seed, number), rng)
        photo, image = self._photos.readable(index)
        person = int(rng.choice(np.flatnonzero(photo.visible.any(axis=1))))
        recorded = None if self._recorded is None else self._recorded.of(photo.path.name, photo.box[person])
        wrong = synthesise(photo, person, self._errors, self._skeleton, refine, rng, recorded)

        box = pose_boxes(wrong.xy[None], wrong.valid[None])[0]
        side = refine.crop_padding * float((box[2:] - box[:2]).max()) * rng.uniform(1 - refine.scale, 1 + refine.scale)
        angle = rng.normal(0, recipe.augment.rotation_deg) if rng.random() < recipe.augment.rotation else 0.0
        mirrored = bool(rng.random() < recipe.augment.flip)
        aim = size * (0.5 + rng.uniform(-refine.shift, refine.shift, 2))
        matrix = similarity((box[:2] + box[2:]) / 2, aim, size / side, np.deg2rad(angle), mirrored)
        crop = np.asarray(cv2.warpAffine(image, matrix, (size, size), borderValue=(FILL,) * 3), np.uint8)
        if wrong.covered is not None:
            x0, y0, x1, y1 = mapped_boxes(np.array([wrong.covered], np.float32), matrix)[0].clip(0, size).astype(int)
            crop[y0:y1, x0:x1] = rng.integers(0, 256, 3)
        crop = disturb(crop, recipe.augment, rng)

        order = list(self._skeleton.flip) if mirrored else list(range(len(self._skeleton)))
        truth, found = mapped(photo.xy[person], matrix)[order], mapped(wrong.xy, matrix)[order]
        weight = np.array([0, recipe.targets.uncertain_weight, 1], np.float32)[photo.visible[person][order]]
        weight *= ((truth >= -0.5) & (truth < size - 0.5)).all(axis=1)
        valid = wrong.valid[order].astype(np.float32)
        pixels = np.ascontiguousarray(crop.transpose(2, 0, 1))
        return tuple(torch.from_numpy(array) for array in (pixels, found, valid, truth, weight))


def _with_labels(data: KeypointData) -> KeypointData:
    photos = tuple(photo for photo in data.photos if photo.visible.any())
    if not photos:
        raise ConfigError("no photo has a labelled person", hint="check data.annotations and data.category")
    return replace(data, photos=photos)
