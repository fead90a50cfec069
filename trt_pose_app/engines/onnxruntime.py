"""Runs an ONNX network with ONNX Runtime on the CPU, CUDA or its TensorRT provider."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.engines.feeds import check_feeds
from trt_pose_app.errors import DependencyError, EngineBuildError, EngineError
from trt_pose_app.types import TensorSpec

log = logging.getLogger(__name__)

Backend = Literal["auto", "cpu", "cuda", "tensorrt"]
_PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8", "tensor(int64)": "int64"}
_SHAPES_KEPT = 4  # a folder of pictures has many shapes; buffers of the latest few are kept


class OnnxRuntimeEngine(Closing):
    """One ONNX network. ``infer``'s arrays are its own buffers, overwritten by the next ``infer`` of that shape.

    ``backend="auto"`` takes the fastest provider that this build of ONNX Runtime has. ``threads=0`` means one per
    core this process may use. ``reuse_outputs=False`` is for a network whose outputs' shapes depend on what it sees,
    such as a detector that suppresses boxes itself. Raises DependencyError if ONNX Runtime or the asked provider is
    absent, EngineBuildError if the network cannot be loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        backend: Backend = "auto",
        threads: int = 0,
        cache: Path | None = None,
        reuse_outputs: bool = True,
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise DependencyError(
                "ONNX Runtime is not installed",
                hint="pip install 'trt-pose-app[cpu]'; on a Jetson install the onnxruntime-gpu wheel of your JetPack",
            ) from error
        wanted = _choose_providers(backend, onnxruntime.get_available_providers(), cache)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # One network is one chain of operators: parallelism inside operators pays, between them it costs.
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        # Waiting workers spin by default and take the cores that capture, decoding and encoding need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # its warnings name graph internals; errors are raised anyway
        try:
            self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=wanted)
        except Exception as error:  # the C++ side raises a dozen unrelated types
            raise EngineBuildError(
                f"ONNX Runtime cannot load {path}: {_first_line(error)}",
                hint="check the file with `trt-pose models verify`, or convert the checkpoint again",
            ) from error
        used = self._session.get_providers()[0]
        if backend != "auto" and used != _PROVIDERS[backend]:
            raise EngineError(
                f"the {backend} provider could not be started, ONNX Runtime fell back to {used}",
                hint="`trt-pose doctor` checks CUDA and TensorRT; use --set model.backend=auto to accept the fallback",
            )
        self.backend = f"onnxruntime-{next(name for name, p in _PROVIDERS.items() if p == used)}"
        self.inputs = {i.name: _tensor_spec(i) for i in self._session.get_inputs()}
        self.outputs = {o.name: _tensor_spec(o) for o in self._session.get_outputs()}
        self._reuse_outputs = reuse_outputs
        self._bound: dict[tuple[tuple[int, ...], ...], tuple[Any, dict[str, NDArray[Any]]]] = {}
        log.debug("%s on %s, %d threads", path, self.backend, options.intra_op_num_threads)

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run the network on host arrays. Raises EngineError for a wrong name, shape or dtype, or if running fails."""
        check_feeds(self.inputs, feeds)
        key = tuple(feeds[name].shape for name in self.inputs)
        try:
            if key not in self._bound:
                return self._first_run(key, feeds)
            binding, results = self._bound[key]
            for name, array in feeds.items():
                binding.bind_cpu_input(name, np.ascontiguousarray(array))
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise EngineError(
                f"inference failed: {_first_line(error)}", hint="the input size may not suit this network; see its spec"
            ) from error
        return results

    def _first_run(
        self, key: tuple[tuple[int, ...], ...], feeds: Mapping[str, NDArray[Any]]
    ) -> Mapping[str, NDArray[Any]]:
        # Output shapes of a dynamic network are known only after a run. From then on the outputs are written into
        # buffers of ours: a fresh 400 kB array per frame costs its page faults, every frame.
        arrays = self._session.run(list(self.outputs), {name: np.ascontiguousarray(a) for name, a in feeds.items()})
        results = {name: np.ascontiguousarray(a) for name, a in zip(self.outputs, arrays)}
        if not self._reuse_outputs:
            return results
        binding = self._session.io_binding()
        for name, array in results.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        while len(self._bound) >= _SHAPES_KEPT:
            del self._bound[next(iter(self._bound))]
        self._bound[key] = binding, results
        return results

    def close(self) -> None:
        """Free the session. Idempotent."""
        self._bound.clear()
        self._session = None


def _choose_providers(backend: Backend, available: list[str], cache: Path | None) -> list[Any]:
    if backend == "auto":
        names = [p for p in _PROVIDERS.values() if p in available]
    elif _PROVIDERS[backend] in available:
        names = list(dict.fromkeys([_PROVIDERS[backend], _PROVIDERS["cpu"]]))
    else:
        raise DependencyError(
            f"this build of ONNX Runtime has no {backend} provider (it has {', '.join(available)})",
            hint="install the onnxruntime-gpu wheel of your JetPack or CUDA, or use --set model.backend=auto",
        )
    # Without a cache TensorRT would compile for minutes at every start.
    trt = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache), "trt_timing_cache_enable": True}
    return [(n, trt) if n == _PROVIDERS["tensorrt"] and cache else n for n in names]


def _tensor_spec(argument: Any) -> TensorSpec:
    shape = tuple(side if isinstance(side, int) else -1 for side in argument.shape)
    return TensorSpec(argument.name, shape, _DTYPES.get(argument.type, argument.type))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
