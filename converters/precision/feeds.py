"""Calibration pictures as the network's input, prepared exactly as at run time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.models.spec import ModelSpec

Feed = dict[str, NDArray[Any]]


class Feeds(Sequence[Feed]):
    """The input tensors of ``frames`` by name, one batch after the other; made anew at each pass, so that memory does
    not grow with their number.

    ``frames`` are (H, W, 3) uint8 BGR; a top-down network takes each whole frame as one person's box. A model of a
    fixed batch gets several frames at a time, the last ones repeated. Raises ConfigError without frames, ModelSpecError
    when the spec's input is not the model's only one.
    """

    def __init__(self, model: onnx.ModelProto, spec: ModelSpec, frames: Sequence[NDArray[np.uint8]]) -> None:
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in weights]
        if [value.name for value in inputs] != [spec.input.name]:
            raise ModelSpecError(
                f"the network has the inputs {', '.join(value.name for value in inputs)}, its spec says "
                f"{spec.input.name}",
                hint="correct [input] name in the spec",
            )
        if not len(frames):
            raise ConfigError("no frames to calibrate with", hint="name a folder of pictures or a video")
        side = inputs[0].type.tensor_type.shape.dim[0]
        self._batch = side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else 1
        self._name = spec.input.name
        self._frames = frames
        self._preprocess = Preprocessor(spec.input)

    def __len__(self) -> int:
        return -(-len(self._frames) // self._batch)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        last = len(self._frames) - 1
        numbers = range(index * self._batch, (index + 1) * self._batch)
        tensors = [self._preprocess(self._frames[min(number, last)])[0] for number in numbers]
        return {self._name: np.concatenate(tensors)}

    def __iter__(self) -> Iterator[Feed]:
        return (self[i] for i in range(len(self)))
