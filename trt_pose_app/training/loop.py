"""The training loop: resumable at any step, the same result whether or not it was interrupted."""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from trt_pose_app.errors import ConfigError, DependencyError
from trt_pose_app.models.store import default_search, find
from trt_pose_app.training.build import PoseNetwork, build_network, freeze, start_weights
from trt_pose_app.training.checkpoint import read_checkpoint, save_checkpoint
from trt_pose_app.training.coco import KeypointData, TrainingData
from trt_pose_app.training.contact_sheet import contact_sheet
from trt_pose_app.training.ema import Ema
from trt_pose_app.training.loss import map_loss
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.rate import rate_at
from trt_pose_app.training.recipe import Recipe
from trt_pose_app.training.samples import Batch, BatchNumbers, Samples
from trt_pose_app.training.teacher import Teacher
from trt_pose_app.training.validate import pck

_LOG = logging.getLogger(__name__)
CHECKPOINT = "last.pt"
_VALIDATION_PHOTOS = 100
_SHEET_PHOTOS = 8


class Training:
    """One run of a recipe in its folder, which holds ``last.pt``, ``log.csv`` and a sheet of predictions per
    validation; a run found there is continued."""

    def __init__(self, recipe: Recipe, data: TrainingData, validation: KeypointData | None, folder: Path) -> None:
        self._recipe, self._data, self._validation, self._folder = recipe, data, validation, folder
        self._device = _device(recipe.schedule.device)
        torch.set_num_threads(recipe.schedule.threads)
        torch.manual_seed(recipe.schedule.seed)
        self.network = build_network(recipe.network, data.main.skeleton)
        checkpoint = folder / CHECKPOINT
        if not checkpoint.is_file():
            start_weights(self.network, recipe.network)
        freeze(self.network, recipe.network)
        self.network.to(self._device, memory_format=torch.channels_last)
        self.optimiser = _optimiser(self.network, recipe)
        self.ema = Ema(self.network, recipe.schedule.ema)
        self._teacher = None
        if recipe.distillation is not None:
            bundle = find(recipe.distillation.teacher, search=default_search(os.environ))
            self._teacher = Teacher(bundle, data.main.skeleton, threads=recipe.schedule.threads)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if checkpoint.is_file():
            self._restore(read_checkpoint(checkpoint))

    def steps(self) -> Iterator[tuple[int, float]]:
        """Train, yielding (steps done, loss) after each step. Leaving the iteration early loses no finished step
        once ``save`` is called; checkpoints are also written as the recipe says."""
        recipe = self._recipe
        samples = Samples(self._data, recipe, self.network.stride)
        loader = DataLoader(
            samples,
            batch_sampler=BatchNumbers(recipe, self.step),
            num_workers=recipe.data.workers,
            worker_init_fn=_quiet_worker if recipe.data.workers else None,
            prefetch_factor=4 if recipe.data.workers else None,
            pin_memory=self._device.type == "cuda",
        )
        started, first = time.monotonic(), self.step
        for batch in loader:
            loss = self._learn(batch)
            self.step += 1
            self.ema.update(self.network, self.step)
            validated = None
            if self._validation is not None and (
                self.step % recipe.validate_steps == 0 or self.step == recipe.schedule.steps
            ):
                validated = self._validate(self._validation.photos)
            if self.step % 20 == 0 or validated is not None:
                speed = (self.step - first) * recipe.schedule.batch / (time.monotonic() - started)
                self._log(loss, speed, validated)
            if self.step % recipe.checkpoint_steps == 0 or self.step == recipe.schedule.steps:
                self.save()
            yield self.step, loss

    def save(self) -> None:
        """Write the checkpoint of the present step."""
        state = {
            "step": self.step,
            "recipe": self._recipe.model_dump_json(),
            "parts": list(self._data.main.skeleton.parts),
            "limbs": [list(limb) for limb in self._data.main.skeleton.limbs],
            "network": self.network.state_dict(),
            "ema": self.ema.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save_checkpoint(self._folder / CHECKPOINT, state)

    def _learn(self, batch: Batch) -> float:
        schedule = self._recipe.schedule
        self.network.train()
        pixels, *targets = (tensor.to(self._device, non_blocking=True) for tensor in batch)
        rate = rate_at(self.step, schedule)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        with torch.autocast(self._device.type, torch.bfloat16, enabled=schedule.bf16):
            stages = self.network(pixels.float().contiguous(memory_format=torch.channels_last))
        loss = map_loss(stages, *targets, foreground_weight=schedule.foreground_weight)
        if self._teacher is not None and self._recipe.distillation is not None:
            taught = self._teacher(pixels, tuple(targets[0].shape[2:]))
            lesson = map_loss(stages, *taught, foreground_weight=schedule.foreground_weight)
            loss = loss + self._recipe.distillation.weight * lesson
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if schedule.clip_gradient is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), schedule.clip_gradient)
        self.optimiser.step()
        value = float(loss.detach())
        if value != value:
            raise ConfigError(f"the loss is not a number at step {self.step}", hint="lower schedule.learning_rate")
        return value

    def _validate(self, photos: Sequence[Photo]) -> float:
        network, skeleton = self.ema.network, self._data.main.skeleton
        size = self._recipe.schedule.sizes[-1][1]
        share: float = pck(network, photos[:_VALIDATION_PHOTOS], skeleton, size, self.network.stride)
        _LOG.info("step %d: PCK@0.2 from the maps %.3f", self.step, share)
        sheet = contact_sheet(network, photos[:_SHEET_PHOTOS], skeleton, size, self.network.stride)
        cv2.imwrite(str(self._folder / f"step-{self.step:06}.jpg"), sheet)
        return share

    def _restore(self, state: dict[str, Any]) -> None:
        saved = Recipe.model_validate_json(state["recipe"])
        if saved.network != self._recipe.network:
            raise ConfigError(
                f"{self._folder} holds a run of another network", hint="choose another --run folder for this recipe"
            )
        if saved != self._recipe:
            _LOG.warning("the recipe has changed since the checkpoint; training goes on with the new one")
        self.network.load_state_dict(state["network"])
        self.ema.network.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        _LOG.info("continuing at step %d", self.step)

    def _log(self, loss: float, speed: float, validated: float | None) -> None:
        path = self._folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(("step", "loss", "learning_rate", "samples_per_s", "pck"))
            rate = rate_at(self.step, self._recipe.schedule)
            pck_text = "" if validated is None else f"{validated:.4f}"
            writer.writerow((self.step, f"{loss:.6f}", f"{rate:.6g}", f"{speed:.1f}", pck_text))


def _device(name: str) -> torch.device:
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DependencyError("torch sees no GPU", hint="set schedule.device to auto or cpu")
    return torch.device("cuda")


def _optimiser(network: PoseNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    groups = []
    for in_trunk in (True, False):
        for decays in (True, False):
            chosen = [
                parameter
                for name, parameter in network.named_parameters()
                if parameter.requires_grad
                and name.startswith("trunk.") == in_trunk
                and (parameter.ndim >= 2) == decays  # biases and normalisation are not shrunk
            ]
            groups.append(
                {
                    "params": chosen,
                    "share": recipe.schedule.trunk_rate if in_trunk else 1.0,
                    "weight_decay": recipe.schedule.weight_decay if decays else 0.0,
                }
            )
    kind = torch.optim.AdamW if recipe.schedule.optimiser == "adamw" else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=recipe.schedule.learning_rate)


def _quiet_worker(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
