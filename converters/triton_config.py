"""The text of a Triton model's config.pbtxt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from trt_pose_app.types import TensorSpec

DATA_TYPES = {
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "uint8": "TYPE_UINT8",
    "int8": "TYPE_INT8",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "bool": "TYPE_BOOL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonConfig:
    """Everything that goes into the file.

    ``max_batch`` 0: the network has no batch axis of free size, and ``inputs`` and ``outputs`` are whole shapes; else
    theirs begin with it. ``warm_up`` are batch sizes that run before the model counts as loaded, with the input of the
    shape ``warm_up_shape`` (without batch where that is free). ``preferred`` batch sizes make sense for the best batch
    of a TensorRT profile alone.
    """

    name: str
    platform: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    max_batch: int
    warm_up: Sequence[int]
    warm_up_shape: tuple[int, ...]
    instances: int
    kind: str
    parameters: dict[str, str]
    preferred: Sequence[int] = ()

    def text(self) -> str:
        """Return the file's content."""
        lines = [
            f"name: {_quoted(self.name)}",
            f"platform: {_quoted(self.platform)}",
            f"max_batch_size: {self.max_batch}",
        ]
        for title, tensors in (("input", self.inputs), ("output", self.outputs)):
            for tensor in tensors:
                lines += [f"{title} {{", *(f"  {line}" for line in self._tensor(tensor)), "}"]
        lines += [f"instance_group {{ count: {self.instances} kind: {self.kind} }}"]
        if self.max_batch > 1:
            # Never a queue policy in here: any of them makes Triton's batcher sleep up to 500 ms (server #8870). The
            # client bounds its own queue and sets deadlines.
            sizes = f"preferred_batch_size: [ {', '.join(map(str, self.preferred))} ] " if self.preferred else ""
            lines += [f"dynamic_batching {{ {sizes}}}"]
        for batch in self.warm_up:
            lines += self._warm_up(batch)
        for key, value in self.parameters.items():
            lines += [f"parameters {{ key: {_quoted(key)} value {{ string_value: {_quoted(value)} }} }}"]
        return "\n".join(lines) + "\n"

    def _tensor(self, tensor: TensorSpec) -> list[str]:
        shape = tensor.shape[1:] if self.max_batch else tensor.shape
        return [f"name: {_quoted(tensor.name)}", f"data_type: {DATA_TYPES[tensor.dtype]}", f"dims: {_list(shape)}"]

    def _warm_up(self, batch: int) -> list[str]:
        (tensor,) = self.inputs
        value = f"data_type: {DATA_TYPES[tensor.dtype]} dims: {_list(self.warm_up_shape)} random_data: true"
        return [
            "model_warmup {",
            f"  name: {_quoted(f'batch of {batch}')}",
            f"  batch_size: {batch}",
            f"  inputs {{ key: {_quoted(tensor.name)} value {{ {value} }} }}",
            "}",
        ]


def _list(shape: tuple[int, ...]) -> str:
    return f"[ {', '.join(map(str, shape))} ]"


def _quoted(text: str) -> str:
    # Protobuf's text format and JSON escape quotes, backslashes and line ends alike.
    return json.dumps(text, ensure_ascii=False)
