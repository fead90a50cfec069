"""MapTask: confidence maps and part affinity fields of whole pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trt_pose_app.models.store import default_search, find
from trt_pose_app.training.coco import TrainingData
from trt_pose_app.training.contact_sheet import contact_sheet
from trt_pose_app.training.loss import map_loss
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import Recipe
from trt_pose_app.training.samples import Samples
from trt_pose_app.training.teacher import Teacher
from trt_pose_app.training.validate import measure

_LOG = logging.getLogger(__name__)


class MapTask:
    """Teaches a bottom-up network from labels and, where the recipe has one, from a teacher."""

    def __init__(self, recipe: Recipe, data: TrainingData, stride: int) -> None:
        self._recipe, self._data, self._stride = recipe, data, stride
        self._skeleton, self._size = data.main.skeleton, recipe.schedule.sizes[-1][1]
        self._teacher = None
        if recipe.distillation is not None:
            bundle = find(recipe.distillation.teacher, search=default_search(os.environ))
            self._teacher = Teacher(bundle, self._skeleton, threads=recipe.schedule.threads)

    def samples(self) -> Samples:
        return Samples(self._data, self._recipe, self._stride)

    def answer(self, network: torch.nn.Module, batch: Sequence[Tensor]) -> Any:
        return network(batch[0].float().contiguous(memory_format=torch.channels_last))

    def losses(
        self, network: torch.nn.Module, answer: Any, batch: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        pixels, *targets = batch
        foreground = self._recipe.schedule.foreground_weight
        cmap_loss, paf_loss = map_loss(answer, *targets, foreground_weight=foreground)
        loss = cmap_loss + paf_loss
        parts = {"loss_cmap": cmap_loss, "loss_paf": paf_loss}
        if self._teacher is not None and self._recipe.distillation is not None:
            taught = self._teacher(pixels, tuple(targets[0].shape[2:]))
            lesson = sum(map_loss(answer, *taught, foreground_weight=foreground))
            loss = loss + self._recipe.distillation.weight * lesson
            parts["loss_teacher"] = lesson
        return loss, parts

    def measure(self, network: torch.nn.Module, photos: Sequence[Photo]) -> Mapping[str, float]:
        quality = measure(network, photos, self._skeleton, self._size, self._stride)
        _LOG.info("PCK@0.2 of the maps %.3f, AP of the people %.3f", quality.pck, quality.ap)
        return asdict(quality)

    def sheet(self, network: torch.nn.Module, photos: Sequence[Photo]) -> NDArray[np.uint8]:
        sheet: NDArray[np.uint8] = contact_sheet(network, photos, self._skeleton, self._size, self._stride)
        return sheet
