"""A top-down pose network: crops of people in, its raw outputs for all of them out, in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.decode.keypoints import KeypointDecoder
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.estimators.crop import Cropper, Crops
from trt_pose_app.estimators.roles import by_role, check_names
from trt_pose_app.models.spec import ModelSpec

Outputs = dict[str, NDArray[Any]]


class PoseNetwork(Closing):
    """Cuts people out of a picture and runs them through one network, at most ``max_batch`` at a time.

    An engine of a fixed batch gets whole batches, with zeros in the rows nobody needs. ``flip`` also runs every crop
    mirrored and averages: twice the time for about one AP. Owns its engine and closes it.
    """

    def __init__(
        self,
        spec: ModelSpec,
        engine: Engine,
        cropper: Cropper,
        decoder: KeypointDecoder,
        *,
        max_batch: int = 16,
        flip: bool = False,
    ) -> None:
        check_names(spec, engine)
        self.spec = spec
        self.engine = engine
        self.decoder = decoder
        self._cropper = cropper
        self._parts = list(spec.build_skeleton().flip)
        self._flip = flip
        fixed = engine.inputs[spec.input.name].shape[0]
        self._fixed = fixed if fixed > 0 else None
        self._batch = self._fixed or max_batch
        self._input = cropper.buffer(1 if self._fixed is None else self._fixed)
        self._collected: Outputs = {}

    def crops(self, boxes: NDArray[np.floating]) -> Crops:
        """Return where sound boxes (N, 4) lie in their crops."""
        return Crops.around(boxes, self._cropper.size, self.spec.input.crop_padding)

    def infer(self, image: NDArray[np.uint8], crops: Crops) -> Outputs:
        """Return the network's outputs by role for N >= 1 crops; valid until the next call."""
        n = len(crops.scale)
        if self._fixed is None and len(self._input) < min(n, self._batch):
            self._input = self._cropper.buffer(min(n, self._batch))
        if n <= self._batch:
            return {role: array[:n] for role, array in self._run(image, crops).items()}
        for start in range(0, n, self._batch):
            rows = slice(start, min(start + self._batch, n))
            for role, array in self._run(image, Crops(crops.scale[rows], crops.shift[rows])).items():
                self._room(role, array, n)[rows] = array[: rows.stop - start]
        return {role: array[:n] for role, array in self._collected.items()}

    def _run(self, image: NDArray[np.uint8], crops: Crops) -> Outputs:
        """Return the outputs for at most one batch; they may have more rows."""
        n = len(crops.scale)
        self._cropper.cut(image, crops, self._input[:n])
        rows = self._input if self._fixed else self._input[:n]
        outputs = by_role(self.spec, self.engine.infer({self.spec.input.name: rows}))
        if not self._flip:
            return outputs
        first = {role: array.copy() for role, array in outputs.items()}
        axis = 3 if self.spec.input.layout == "nchw" else 2
        rows[:n] = np.flip(rows[:n], axis).copy()
        mirrored = by_role(self.spec, self.engine.infer({self.spec.input.name: rows}))
        return {role: (array + self._unmirror(role, mirrored[role])) / 2 for role, array in first.items()}

    def _unmirror(self, role: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return what the network says of a mirrored crop as if it had seen the crop itself."""
        array = array[:, self._parts]
        if role == "y":
            return array
        array = array[..., ::-1]
        if role == "heatmap" and self.spec.heatmap is not None and self.spec.heatmap.map_offset == 0:
            # Cells that stand for their corner do not mirror onto one another: mmpose's shift_heatmap.
            array[..., 1:] = array[..., :-1].copy()
        return array

    def _room(self, role: str, like: NDArray[Any], n: int) -> NDArray[Any]:
        """Return where the outputs of a role are collected, with room for ``n`` rows; it is kept between frames."""
        room = self._collected.get(role)
        if room is None or len(room) < n or room.shape[1:] != like.shape[1:]:
            room = self._collected[role] = np.empty((n, *like.shape[1:]), like.dtype)
        return room

    def close(self) -> None:
        """Free the engine. Idempotent."""
        self.engine.close()
