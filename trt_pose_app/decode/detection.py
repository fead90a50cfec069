"""BoxDecoder: the outputs of a person detector to boxes in the frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.keypoints import as_float32
from trt_pose_app.decode.overlap import best_boxes
from trt_pose_app.errors import DecodeError
from trt_pose_app.geometry import Geometry

LARGEST_LOG_SIZE = 20.0  # exp of more is no box, and overflows
CANDIDATES = 1000  # of the highest scores, before suppression, as in mmdet


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """People of one frame, best first: ``xyxy`` (N, 4) float32 x0, y0, x1, y1 in frame pixels, ``score`` (N,)."""

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True)
class DetectionParams:
    """How a detector's outputs are read; see ``models.spec.DetectorSpec``, whose fields these are."""

    format: Literal["rtmdet", "yolox", "boxes"]
    strides: Sequence[int] = (8, 16, 32)
    person_class: int = 0
    score_threshold: float = 0.3
    nms_iou: float = 0.6
    max_boxes: int = 100


class BoxDecoder:
    """Reads the boxes of people. Total: any floats give a bounded number of finite boxes inside the frame."""

    def __init__(self, params: DetectionParams) -> None:
        self.params = params
        least = min(max(params.score_threshold, 1e-6), 1 - 1e-6)
        self._least_logit = float(np.log(least / (1 - least)))

    def decode(self, outputs: Mapping[str, NDArray[Any]], geometry: Geometry) -> Boxes:
        """Return the people of one frame. Raises DecodeError for a missing output, a wrong shape or dtype."""
        params = self.params
        with np.errstate(invalid="ignore", over="ignore"):  # odd values go where NaN goes: out, below
            if params.format == "rtmdet":
                boxes, score = self._rtmdet(outputs)
            elif params.format == "yolox":
                boxes, score = self._yolox(outputs, geometry)
            else:
                boxes, score = self._ready(outputs)
            boxes = _to_frame(boxes, geometry)
            sound = np.isfinite(boxes).all(axis=1) & (score >= params.score_threshold)
            sound &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        boxes, score = boxes[sound], np.minimum(score[sound], np.float32(1))
        if len(score) > CANDIDATES:
            best = np.argsort(-score, kind="stable")[:CANDIDATES]
            boxes, score = boxes[best], score[best]
        # Boxes that the network has suppressed itself are in order already.
        threshold = 1.0 if params.format == "boxes" else params.nms_iou
        kept = best_boxes(boxes, score, threshold, params.max_boxes)
        return Boxes(boxes[kept], score[kept])

    def _rtmdet(self, outputs: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        found = []
        for stride in self.params.strides:
            logit, distance = self._level(outputs, stride)
            # Only the few cells above the threshold are looked at further.
            y, x = np.nonzero(logit >= self._least_logit)
            near = distance[y, x]
            centre = np.stack([x, y], axis=1).astype(np.float32) * np.float32(stride)
            found.append(np.concatenate([centre - near[:, :2], centre + near[:, 2:], logit[y, x, None]], axis=1))
        rows = np.concatenate(found)
        return rows[:, :4], _sigmoid(rows[:, 4])

    def _level(
        self, outputs: Mapping[str, NDArray[Any]], stride: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the person logits (h, w) and the distances (h, w, 4) of one stride."""
        person = self.params.person_class
        if f"class{stride}" in outputs:
            logits = as_float32(outputs, f"class{stride}", 4)[0]
            distance = as_float32(outputs, f"box{stride}", 4)[0]
            if person < len(logits) and len(distance) == 4 and logits.shape[1:] == distance.shape[1:]:
                return logits[person], distance.transpose(1, 2, 0)
            raise _misfit(f"class{stride} is {logits.shape} and box{stride} is {distance.shape}")
        level = as_float32(outputs, f"level{stride}", 4)[0]
        if level.shape[2] < 5 + person:
            raise _misfit(f"level{stride} is {level.shape}")
        return level[..., person], level[..., -4:]

    def _yolox(
        self, outputs: Mapping[str, NDArray[Any]], geometry: Geometry
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = as_float32(outputs, "boxes", 3)[0]
        width, height = geometry.input_size
        grids = [(height // stride, width // stride, stride) for stride in self.params.strides]
        if rows.shape[1] < 6 + self.params.person_class or len(rows) != sum(h * w for h, w, _ in grids):
            raise _misfit(f"boxes is {rows.shape} for an input of {width}x{height}")
        score = rows[:, 4] * rows[:, 5 + self.params.person_class]
        (cells,) = np.nonzero(score >= self.params.score_threshold)
        at = _cells_of(cells, grids)
        chosen, stride = rows[cells], at[:, 2:]
        centre = (chosen[:, :2] + at[:, :2]) * stride
        half = np.exp(np.minimum(chosen[:, 2:4], LARGEST_LOG_SIZE)) * stride / 2
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32), score[cells]

    def _ready(self, outputs: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = as_float32(outputs, "boxes", 3, may_be_empty=True)[0]
        if rows.shape[1] != 5:
            raise _misfit(f"boxes is {rows.shape}")
        if "labels" in outputs and len(rows):
            labels = outputs["labels"].reshape(-1)
            if len(labels) != len(rows):
                raise _misfit(f"there are {len(labels)} labels for {len(rows)} boxes")
            rows = rows[labels == self.params.person_class]
        return rows[:, :4], rows[:, 4]


def _cells_of(cells: NDArray[np.intp], grids: Sequence[tuple[int, int, int]]) -> NDArray[np.float32]:
    """Return x, y and stride (n, 3) of the cells with these numbers, counted through all the grids."""
    at = np.empty((len(cells), 3), np.float32)
    first = 0
    for height, width, stride in grids:
        mine = (cells >= first) & (cells < first + height * width)
        y, x = np.divmod(cells[mine] - first, width)
        at[mine] = np.stack([x, y, np.full_like(x, stride)], axis=1)
        first += height * width
    return at


def _to_frame(boxes: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Return boxes in frame pixels, cut at the frame's border.

    Sides are lines between pixels, which a resize moves by its factor alone; no half pixel is lost as with centres.
    """
    left, top, width, height = geometry.content or (0, 0, *geometry.input_size)
    frame = np.array(geometry.frame_size * 2, np.float32)
    scale = frame / np.array((width, height) * 2, np.float32)
    moved: NDArray[np.float32] = np.clip((boxes - np.array((left, top) * 2, np.float32)) * scale, 0, frame)
    return moved


def _sigmoid(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-np.clip(logit, -80, 80)))).astype(np.float32)


def _misfit(what: str) -> DecodeError:
    return DecodeError(
        what, hint="check [detector] and [outputs] of the spec: docs/models.md says what each format has"
    )
