"""A TensorRT engine file, loaded: what went wrong is told from TensorRT's own log.

Not verified on hardware. The names and signatures used here are those of the real bindings of TensorRT 8.6, 10.3,
10.16 and 11.4, see tests/tensorrt_api.json.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from trt_pose_app.engines.cache import EngineRecord, rebuild_command
from trt_pose_app.errors import DependencyError, EngineError, EngineStaleError
from trt_pose_app.types import TensorSpec

log = logging.getLogger(__name__)

_DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}  # tensorrt.nptype is no help: that of 8.6 asks numpy for np.bool, which is gone since numpy 1.24
_STALE = re.compile(
    r"version tag does not match|not compatible with this version|incompatible device|expecting compute"
    r"|plan file .* please rebuild|platform .* mismatch",
    re.IGNORECASE,
)
_PLUGIN = re.compile(r"(?:cannot|could not) (?:find|deserialize) plugin:? ?(?P<name>\w+)?", re.IGNORECASE)
_MEMORY = re.compile(r"out ?of ?memory|cuda ?error:? 2\b|failed to allocate|insufficient memory", re.IGNORECASE)


def import_tensorrt() -> ModuleType:
    """Return the module tensorrt. Raises DependencyError where it is absent or broken."""
    try:
        import tensorrt
    except ImportError as error:
        raise DependencyError(
            f"TensorRT cannot be imported: {error}",
            hint="engines are built and run on the machine with the NVIDIA GPU. A Jetson has TensorRT as the system "
            "package python3-libnvinfer, which an environment made with --system-site-packages sees; a PC takes it "
            "with pip install tensorrt 'trt-pose-app[convert,tensorrt]'",
        ) from error
    module: ModuleType = tensorrt
    return module


class Plan:
    """The engine of ``path``, loaded: ``engine`` is TensorRT's ICudaEngine, ``inputs`` and ``outputs`` its tensors.

    Raises EngineStaleError for an engine of another TensorRT or GPU, EngineError for one that is damaged, needs a
    plugin that is missing, or does not fit into memory.
    """

    def __init__(self, tensorrt: ModuleType, path: Path, record: EngineRecord | None) -> None:
        self._tensorrt, self._path, self._record = tensorrt, path, record
        self._logger = listen(tensorrt)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error.strerror}", hint="check the path and its rights") from error
        self._runtime = start_runtime(tensorrt, self._logger)
        tensorrt.init_libnvinfer_plugins(self._logger, "")
        if record is not None and record.dla_core is not None:
            self._runtime.DLA_core = record.dla_core
        self.engine = self._runtime.deserialize_cuda_engine(content)
        if self.engine is None:
            raise self.error("cannot load")
        if getattr(self.engine, "has_implicit_batch_dimension", False):
            raise EngineError(
                f"{path} was built without a batch axis (TensorRT's implicit batch)",
                hint=f"build again: {rebuild_command(path, record)}",
            )
        names = [self.engine.get_tensor_name(index) for index in range(self.engine.num_io_tensors)]
        modes = {name: self.engine.get_tensor_mode(name) for name in names}
        self.inputs = {n: self._tensor(n) for n in names if modes[n] == tensorrt.TensorIOMode.INPUT}
        self.outputs = {n: self._tensor(n) for n in names if modes[n] == tensorrt.TensorIOMode.OUTPUT}

    def create_context(self) -> Any:
        """Return a new IExecutionContext. Raises EngineError, above all when memory is short."""
        context = self.engine.create_execution_context()
        if context is None:
            raise self.error("cannot prepare")
        return context

    def forget_errors(self) -> None:
        """Let the next error be told from what TensorRT logs from now on."""
        self._logger.errors.clear()

    def error(self, failure: str) -> EngineError:
        """Return the error that TensorRT's log explains; ``failure`` is the verb of the message."""
        told = " ".join(self._logger.errors)
        first = self._logger.errors[0] if self._logger.errors else "it gives no reason"
        again = rebuild_command(self._path, self._record)
        self.forget_errors()
        if _STALE.search(told):
            return EngineStaleError(
                f"{self._path} was built for another TensorRT than {self._tensorrt.__version__}, or another GPU",
                hint=f"build it here: {again}",
            )
        if plugin := _PLUGIN.search(told):
            return EngineError(
                f"{self._path} needs a TensorRT plugin that is not loaded: {plugin['name'] or first}",
                hint=f"engines of other programs may need those programs; build one from the ONNX: {again}",
            )
        if _MEMORY.search(told):
            return EngineError(
                f"TensorRT {failure} {self._path}: the GPU's memory is used up",
                hint="close other programs (on a Jetson CPU and GPU share their memory), or take a smaller model",
            )
        return EngineError(f"TensorRT {failure} {self._path}: {first}", hint=f"the file may be damaged: {again}")

    def _tensor(self, name: str) -> TensorSpec:
        dtype = self.engine.get_tensor_dtype(name).name
        if dtype not in _DTYPES or self.engine.get_tensor_location(name) != self._tensorrt.TensorLocation.DEVICE:
            raise EngineError(
                f"tensor {name!r} of {self._path} has the type {dtype}, or holds shapes, which cannot be exchanged",
                hint="export the network with float32 inputs and outputs",
            )
        return TensorSpec(name, tuple(self.engine.get_tensor_shape(name)), _DTYPES[dtype])


def start_runtime(tensorrt: ModuleType, logger: Any) -> Any:
    """Return a tensorrt.Runtime that works. Raises DependencyError where TensorRT cannot use the GPU.

    ``logger`` is one that ``listen`` made.
    """
    runtime = None
    with contextlib.suppress(TypeError):  # "factory function returned nullptr", as older bindings put it
        runtime = tensorrt.Runtime(logger)
    told = next((text for text in logger.errors if "CUDA initialization failure" in text), None)
    if runtime is not None and told is None:
        return runtime
    if runtime is not None:
        # Newer constructors raise nothing; what they return ends the process when it is used, and when it is freed
        # (seen with 10.16 and 11.4). So it is never freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(runtime))
    raise DependencyError(
        f"TensorRT {tensorrt.__version__} cannot use the GPU: {told or '; '.join(logger.errors)}",
        hint="its CUDA is newer than the driver: install the TensorRT of your JetPack, or update the driver",
    )


def listen(tensorrt: ModuleType) -> Any:
    """Return a logger for TensorRT that keeps its errors and hands everything on to ours."""
    levels = {
        tensorrt.Logger.INTERNAL_ERROR: logging.ERROR,
        tensorrt.Logger.ERROR: logging.ERROR,
        tensorrt.Logger.WARNING: logging.INFO,  # most of its warnings ask for nothing that a user could do
        tensorrt.Logger.INFO: logging.DEBUG,
    }

    class Listener(tensorrt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            level = levels.get(severity)
            if level == logging.ERROR:
                self.errors.append(msg)
                level = logging.DEBUG  # an error that matters becomes an exception
            if level is not None:
                log.log(level, "TensorRT: %s", msg)

    return Listener()
