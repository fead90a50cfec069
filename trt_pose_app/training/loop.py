"""The training loop: resumable at any step, the same result whether or not it was interrupted."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from trt_pose_app.errors import ConfigError
from trt_pose_app.training.build import build_network, freeze, start_weights
from trt_pose_app.training.checkpoint import read_checkpoint, save_checkpoint
from trt_pose_app.training.coco import KeypointData, TrainingData
from trt_pose_app.training.device import choose_device, has_bfloat16
from trt_pose_app.training.ema import Ema
from trt_pose_app.training.map_task import MapTask
from trt_pose_app.training.optimiser import build_optimiser
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.rate import rate_at
from trt_pose_app.training.recipe import Recipe
from trt_pose_app.training.refine_task import RefineTask
from trt_pose_app.training.run_log import RunLog
from trt_pose_app.training.samples import BatchNumbers
from trt_pose_app.training.task import Task

_LOG = logging.getLogger(__name__)
CHECKPOINT = "last.pt"
_VALIDATION_PHOTOS = 100
_SHEET_PHOTOS = 8
_LOG_STEPS = 20


class Training:
    """One run of a recipe in its folder, which holds ``last.pt``, ``log.csv``, TensorBoard's files and a
    sheet of predictions per validation; a run found there is continued."""

    def __init__(self, recipe: Recipe, data: TrainingData, validation: KeypointData | None, folder: Path) -> None:
        self._recipe, self._data, self._validation, self._folder = recipe, data, validation, folder
        self._device = choose_device(recipe.schedule.device)
        self._bf16 = recipe.schedule.bf16 and has_bfloat16(self._device)
        torch.set_num_threads(recipe.schedule.threads)
        torch.manual_seed(recipe.schedule.seed)
        self.network = build_network(recipe.network, data.main.skeleton)
        checkpoint = folder / CHECKPOINT
        if not checkpoint.is_file():
            start_weights(self.network, recipe.network)
        freeze(self.network, recipe.network)
        self.network.to(self._device, memory_format=torch.channels_last)
        self.optimiser = build_optimiser(self.network, recipe.schedule)
        self.ema = Ema(self.network, recipe.schedule.ema)
        self._task: Task = (
            MapTask(recipe, data, self.network.stride)
            if recipe.refine is None
            else RefineTask(recipe, recipe.refine, data)
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if checkpoint.is_file():
            self._restore(read_checkpoint(checkpoint))

    def steps(self) -> Iterator[tuple[int, float]]:
        """Train, yielding (steps done, loss) after each step. Leaving the iteration early loses no finished step
        once ``save`` is called; checkpoints are also written as the recipe says."""
        recipe = self._recipe
        loader = DataLoader(
            self._task.samples(),
            batch_sampler=BatchNumbers(recipe, self.step),
            num_workers=recipe.data.workers,
            worker_init_fn=_quiet_worker if recipe.data.workers else None,
            prefetch_factor=4 if recipe.data.workers else None,
            pin_memory=self._device.type == "cuda",
        )
        log = RunLog(self._folder, self.step)
        try:
            for batch in loader:
                losses = self._learn(batch)
                self.step += 1
                self.ema.update(self.network, self.step)
                log.learnt(losses, recipe.schedule.batch)
                last = self.step == recipe.schedule.steps
                quality = None
                if self._validation is not None and (self.step % recipe.validate_steps == 0 or last):
                    quality = self._validate(self._validation.photos)
                if self.step % _LOG_STEPS == 0 or quality is not None:
                    log.write(self.step, rate_at(self.step, recipe.schedule), quality)
                if self.step % recipe.checkpoint_steps == 0 or last:
                    self.save()
                yield self.step, losses["loss"]
        finally:
            log.close()

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

    def _learn(self, batch: Sequence[torch.Tensor]) -> dict[str, float]:
        """Make one optimiser step and return the losses by name, ``loss`` being what was minimised."""
        schedule = self._recipe.schedule
        self.network.train()
        tensors = [tensor.to(self._device, non_blocking=True) for tensor in batch]
        rate = rate_at(self.step, schedule)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            answer = self._task.answer(self.network, tensors)
        # In single precision: bfloat16 has the range of float32, so no gradient needs scaling, but only 8 bits.
        loss, parts = self._task.losses(self.network, answer, tensors)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if schedule.clip_gradient is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), schedule.clip_gradient)
        self.optimiser.step()
        # One copy from the device for all of them.
        names = ("loss", *parts)
        values = dict(zip(names, torch.stack((loss, *parts.values())).detach().tolist()))
        if values["loss"] != values["loss"]:
            raise ConfigError(f"the loss is not a number at step {self.step}", hint="lower schedule.learning_rate")
        return values

    def _validate(self, photos: Sequence[Photo]) -> Mapping[str, float]:
        _LOG.info("step %d:", self.step)
        quality = self._task.measure(self.ema.network, photos[:_VALIDATION_PHOTOS])
        sheet = self._task.sheet(self.ema.network, photos[:_SHEET_PHOTOS])
        cv2.imwrite(str(self._folder / f"step-{self.step:06}.jpg"), sheet)
        return quality

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


def _quiet_worker(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
