"""Samples: the endless, numbered stream of training pictures. Number n is the same picture in every process and run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Dataset

from trt_pose_app.errors import ConfigError
from trt_pose_app.training.augment import choose_count, compose
from trt_pose_app.training.coco import TrainingData
from trt_pose_app.training.recipe import Recipe
from trt_pose_app.training.silhouette import can_be_cut_out
from trt_pose_app.training.targets import draw_targets
from trt_pose_app.training.training_photos import TrainingPhotos

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class Samples(Dataset[tuple[torch.Tensor, ...]]):
    """Sample (n, size) -> picture (3, size, size) uint8 BGR, cmap, paf and their loss weights.

    All chance comes from (seed, n): resuming at sample n needs no saved random state, whatever the number of
    workers. Each pass over the main data is a new permutation, in which photos of further data take the places that
    their shares give them. A photo that cannot be read is replaced by the next one and counted in ``broken``.
    """

    def __init__(self, data: TrainingData, recipe: Recipe, stride: int) -> None:
        self._skeleton, self._recipe, self._stride = data.main.skeleton, recipe, stride
        self._photos = TrainingPhotos(data, recipe.data.cache_gb)
        self._donors = self._find_donors() if recipe.augment.copy_paste else []

    @property
    def broken(self) -> set[int]:
        """The numbers of the photos that could not be read."""
        return self._photos.broken

    def __len__(self) -> int:
        return self._recipe.schedule.steps * self._recipe.schedule.batch

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        number, size = key
        recipe = self._recipe
        rng = np.random.default_rng((recipe.schedule.seed, number))
        first = self._photos.in_turn(recipe.schedule.seed, number)
        others = rng.integers(self._photos.n_main, size=choose_count(recipe.augment, rng) - 1)
        indices = [self._photos.exchanged(int(index), rng) for index in (first, *others)]
        # Nothing is drawn where nothing is pasted: a run from before there was pasting goes on with the same pictures.
        donor = None
        if self._donors and rng.random() < recipe.augment.copy_paste:
            donor = self._photos.readable(self._donors[rng.integers(len(self._donors))])
        photos = [self._photos.readable(index) for index in indices]
        picture, people = compose(photos, size, self._skeleton, recipe.augment, rng, donor)
        targets = draw_targets(
            people,
            self._skeleton,
            (size, size),
            self._stride,
            cmap_sigma=recipe.targets.cmap_sigma,
            paf_sigma=recipe.targets.paf_sigma,
            uncertain_weight=recipe.targets.uncertain_weight,
            style=recipe.targets.style,
            mask=recipe.targets.mask,
        )
        arrays = (targets.cmap, targets.paf, targets.cmap_weight, targets.paf_weight)
        return (torch.from_numpy(picture.transpose(2, 0, 1).copy()), *(torch.from_numpy(a) for a in arrays))

    def _find_donors(self) -> list[int]:
        """Return the main photos with a person that can be cut out."""
        donors = [
            index
            for index, photo in enumerate(self._photos.all[: self._photos.n_main])
            if any(can_be_cut_out(visible, self._skeleton) for visible in photo.visible)
        ]
        if not donors:
            raise ConfigError(
                "there is nobody to paste: no person has all keypoints but the face's", hint="set augment.copy_paste=0"
            )
        return donors


class BatchNumbers:
    """The sample numbers and picture sizes of each batch, from step ``first`` to the end of the recipe."""

    def __init__(self, recipe: Recipe, first: int) -> None:
        self._recipe, self._first = recipe, first

    def __len__(self) -> int:
        return self._recipe.schedule.steps - self._first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        batch = self._recipe.schedule.batch
        for step in range(self._first, self._recipe.schedule.steps):
            yield [(step * batch + i, self._recipe.size_at(step)) for i in range(batch)]
