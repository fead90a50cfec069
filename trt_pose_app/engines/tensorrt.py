"""Runs a TensorRT engine: one stream, page-locked host buffers, no copies but those to and from the device.

Not verified on hardware: see docs/tensorrt.md for what was checked and how. ``execute_async_v3`` is the one way to run
an engine in every TensorRT from 8.5 on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.engines.cache import EngineRecord
from trt_pose_app.engines.cudart import CudaRuntime
from trt_pose_app.engines.feeds import check_feeds
from trt_pose_app.engines.mirrored import Mirrored
from trt_pose_app.engines.tensorrt_plan import Plan, import_tensorrt
from trt_pose_app.errors import EngineError, EngineStaleError, ModelSpecError
from trt_pose_app.models.checksum import sha256_of
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.types import TensorSpec

log = logging.getLogger(__name__)


class TensorRtEngine(Closing):
    """The engine file ``path``, whose tensors are checked against ``spec``. The results are its own buffers.

    Raises DependencyError without TensorRT, CUDA or GPU; EngineStaleError, with the command that builds it again, for
    an engine of another TensorRT, GPU or source; ModelSpecError if it is not the spec's network; EngineError.
    """

    backend = "tensorrt"

    def __init__(self, path: Path, spec: ModelSpec | None = None, *, cuda: CudaRuntime | None = None) -> None:
        tensorrt = import_tensorrt()
        self._cuda = cuda or CudaRuntime()
        self._path, self._record = path, EngineRecord.read(path)
        if self._record is not None:
            self._refuse_stale(self._record, tensorrt.__version__)
        self._plan: Plan | None = Plan(tensorrt, path, self._record)
        self.inputs, self.outputs = self._plan.inputs, self._plan.outputs
        if spec is not None:
            _compare(spec, path, self.inputs, self.outputs)
        self._context = self._plan.create_context()
        self._stream = self._cuda.create_stream()
        self._buffers: dict[str, Mirrored] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        log.debug("%s on TensorRT %s, %s", path, tensorrt.__version__, self._cuda.gpu().name)

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run the network on host arrays. Raises EngineError for a wrong name, shape or dtype, or if running fails."""
        if self._plan is None:
            raise EngineError(f"{self._path} is closed", hint="open it again")
        check_feeds(self.inputs, feeds)
        shapes = {name: array.shape for name, array in feeds.items()}
        if shapes != self._shapes:
            self._shapes = {}  # stays empty if this fails: the next run starts from the beginning
            self._prepare(self._plan, shapes)
            self._shapes = shapes
        for name, array in feeds.items():
            buffer = self._buffers[name]
            np.copyto(buffer.host, array)
            buffer.upload(self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise self._plan.error("cannot run")
        results = {name: self._buffers[name] for name in self.outputs}
        for buffer in results.values():
            buffer.download(self._stream)
        self._cuda.synchronise(self._stream)
        return {name: buffer.host for name, buffer in results.items()}

    def _prepare(self, plan: Plan, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Give every tensor its shape and memory."""
        plan.forget_errors()
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                low, _, high = (tuple(s) for s in plan.engine.get_tensor_profile_shape(name, 0))
                raise EngineError(
                    f"{self._path} takes {name!r} from {low} to {high}, not {shape}",
                    hint="leave out --input-size, or build an engine for this size: trt-pose convert --help",
                )
        for tensor in (*self.inputs.values(), *self.outputs.values()):
            shape = shapes.get(tensor.name) or tuple(self._context.get_tensor_shape(tensor.name))
            if min(shape, default=0) < 0:
                raise EngineError(
                    f"the shape of output {tensor.name!r} depends on what the picture shows",
                    hint="export the network without non-maximum suppression or other such layers",
                )
            buffer = self._buffers.setdefault(tensor.name, Mirrored(self._cuda, tensor.dtype))
            buffer.resize(shape)
            if not self._context.set_tensor_address(tensor.name, buffer.device):
                raise plan.error(f"refuses memory for {tensor.name!r} of")

    def _refuse_stale(self, record: EngineRecord, version: str) -> None:
        source = self._path.with_name(record.source)
        sha256 = sha256_of(source) if source.is_file() else None
        if reasons := record.stale_because(version, self._cuda.gpu(), source, sha256):
            raise EngineStaleError(
                f"{self._path} no longer fits: {'; '.join(reasons)}", hint=f"build it again: {record.command}"
            )

    def close(self) -> None:
        """Free context, engine, stream and memory. Idempotent."""
        if self._plan is None:
            return
        # TensorRT's objects go when nothing refers to them, and the context has to go before its engine.
        self._context = None
        self._plan = None
        for buffer in self._buffers.values():
            buffer.free()
        self._buffers.clear()
        self._cuda.destroy_stream(self._stream)


def _compare(spec: ModelSpec, path: Path, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]) -> None:
    """Raise ModelSpecError unless the engine is the spec's network."""
    wanted = spec.input
    sides = (3, wanted.height, wanted.width) if wanted.layout == "nchw" else (wanted.height, wanted.width, 3)
    problems = []
    if inputs.keys() != {wanted.name}:
        problems.append(f"its inputs are {', '.join(inputs)}, not {wanted.name}")
    else:
        tensor = inputs[wanted.name]
        if len(tensor.shape) != 4 or any(have not in (-1, want) for have, want in zip(tensor.shape[1:], sides)):
            problems.append(f"its input is {tensor.shape}, not (-1, {', '.join(map(str, sides))})")
        if tensor.dtype != wanted.dtype:
            problems.append(f"its input is {tensor.dtype}, not {wanted.dtype}")
    if missing := sorted(set(spec.outputs.values()) - outputs.keys()):
        problems.append(f"its outputs are {', '.join(outputs)}, without {', '.join(missing)}")
    if problems:
        raise ModelSpecError(
            f"{path} is not the network of its spec: {'; '.join(problems)}",
            hint="give the right spec with --spec FILE; engines of torch2trt name their tensors input_0, output_0, ...",
        )
