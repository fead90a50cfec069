"""RefineTask: better poses out of wrong ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trt_pose_app.decode.pose_boxes import pose_boxes
from trt_pose_app.draw import draw_poses
from trt_pose_app.geometry import Geometry
from trt_pose_app.training.augment import FILL
from trt_pose_app.training.coco import TrainingData
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.pose_errors import PoseErrors
from trt_pose_app.training.recipe import Recipe, RefineRecipe
from trt_pose_app.training.refine_loss import refine_loss
from trt_pose_app.training.refine_samples import RefineSamples, synthesise
from trt_pose_app.training.validate import reference_px
from trt_pose_app.types import Poses, boxes_around

_LOG = logging.getLogger(__name__)
_NEAR = 0.2  # of the torso: PCK's usual limit
_COLUMNS = 4


class RefineTask:
    """Teaches a refiner with synthetic errors; it is measured with errors that are the same at every validation."""

    def __init__(self, recipe: Recipe, refine: RefineRecipe, data: TrainingData) -> None:
        self._recipe, self._refine, self._data = recipe, refine, data
        self._skeleton, self._size = data.main.skeleton, recipe.schedule.sizes[-1][1]
        self._errors = PoseErrors(self._skeleton)

    def samples(self) -> RefineSamples:
        return RefineSamples(self._data, self._recipe, self._refine)

    def answer(self, network: torch.nn.Module, batch: Sequence[Tensor]) -> Any:
        pixels, found, valid, _, _ = batch
        return network(pixels.float().contiguous(memory_format=torch.channels_last), found, valid)

    def losses(
        self, network: torch.nn.Module, answer: Any, batch: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        _, _, _, truth, weight = batch
        logits = answer.float()
        grid = network.soft_argmax.grid
        cells, _ = network.soft_argmax(logits)
        cells, truth = ((xy - grid.shift_px) / grid.stride for xy in (cells, truth))
        entropy, distance = refine_loss(logits, cells, truth, weight)
        return entropy + distance, {"loss_entropy": entropy, "loss_distance": distance}

    def measure(self, network: torch.nn.Module, photos: Sequence[Photo]) -> Mapping[str, float]:
        """Return the PCK@0.2 of the main people's sure keypoints, of the wrong poses and of the refined ones."""
        hits = np.zeros(2)
        total = 0
        for photo, _, wrong, refined in self._refined(network, photos):
            if (reference := reference_px(photo, self._skeleton)) is None:
                continue
            sure = photo.visible[photo.main] == 2
            truth = photo.xy[photo.main, sure]
            near = [np.linalg.norm(xy[sure] - truth, axis=1) <= _NEAR * reference for xy in (wrong, refined)]
            hits += [hit.sum() for hit in near]
            total += int(sure.sum())
        before, after = hits / max(total, 1)
        _LOG.info("PCK@0.2 of wrong poses %.3f, refined %.3f", before, after)
        return {"pck": float(after), "pck_before": float(before)}

    def sheet(self, network: torch.nn.Module, photos: Sequence[Photo]) -> NDArray[np.uint8]:
        """Return crops in rows of four, each with the wrong pose above the refined one."""
        tiles = []
        for _, (crop, geometry), *poses in self._refined(network, photos):
            drawn = [draw_poses(crop, self._one_person(geometry.to_input(xy))) for xy in poses]
            tiles.append(np.concatenate(drawn))
        tiles += [np.zeros((2 * self._size, self._size, 3), np.uint8)] * (-len(tiles) % _COLUMNS)
        rows = [np.concatenate(tiles[i : i + _COLUMNS], axis=1) for i in range(0, len(tiles), _COLUMNS)]
        return np.concatenate(rows) if rows else np.zeros((1, 1, 3), np.uint8)

    @torch.no_grad()
    def _refined(
        self, network: torch.nn.Module, photos: Sequence[Photo]
    ) -> Iterator[tuple[Photo, tuple[NDArray[np.uint8], Geometry], NDArray[np.float64], NDArray[np.float64]]]:
        """Yield each photo with its main person's crop, wrong pose (NaN where a point is missing) and refined one."""
        device = next(network.parameters()).device
        size = self._size
        for number, photo in enumerate(photos):
            image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR) if photo.main >= 0 else None
            if image is None or not photo.visible[photo.main].any():
                continue
            rng = np.random.default_rng(number)
            wrong = synthesise(photo, photo.main, self._errors, self._skeleton, self._refine, rng)
            x0, y0, x1, y1 = (float(v) for v in pose_boxes(wrong.xy[None], wrong.valid[None])[0])
            frame_size = (image.shape[1], image.shape[0])
            geometry = Geometry.affine_crop(
                frame_size, (x0, y0, x1, y1), (size, size), padding=self._refine.crop_padding
            )
            crop = np.asarray(cv2.warpAffine(image, geometry.matrix, (size, size), borderValue=(FILL,) * 3), np.uint8)
            feeds = (
                crop.transpose(2, 0, 1)[None].astype(np.float32),
                geometry.to_input(wrong.xy)[None].astype(np.float32),
                wrong.valid[None].astype(np.float32),
            )
            refined, _ = network(*(torch.from_numpy(array).to(device) for array in feeds))
            found = np.where(wrong.valid[:, None], wrong.xy, np.nan).astype(np.float64)
            yield photo, (crop, geometry), found, geometry.to_frame(refined[0].cpu().numpy())

    def _one_person(self, xy: NDArray[np.float64]) -> Poses:
        pose = xy[None].astype(np.float32)
        score = np.asarray(np.isfinite(pose).all(axis=2), np.float32)
        one = np.ones(1, np.float32)
        return Poses(pose, score, one, boxes_around(pose), np.full(1, -1, np.int32), self._skeleton)
