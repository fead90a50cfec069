"""Which engine runs which file."""

from __future__ import annotations

import logging
from pathlib import Path

from trt_pose_app.engines.cache import EngineRecord
from trt_pose_app.engines.onnxruntime import Backend, OnnxRuntimeEngine
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.engines.tensorrt import TensorRtEngine
from trt_pose_app.errors import ConfigError, DependencyError, EngineStaleError
from trt_pose_app.models.bundle import Bundle

log = logging.getLogger(__name__)


def open_engine(
    bundle: Bundle, *, backend: Backend = "auto", threads: int = 0, cache: Path | None = None, built: bool = False
) -> Engine:
    """Return the engine for a bundle: TensorRT for an .engine, ONNX Runtime for an .onnx.

    ``built`` allows TensorRT for an .onnx too, where an engine lies beside it that was built from this very file and
    that this machine can run; such an engine takes the spec's input size only. ``threads`` and ``cache`` are ONNX
    Runtime's. Raises what these engines raise, and ConfigError for a backend that cannot run the file.
    """
    if bundle.path.suffix != ".engine":
        if built and backend in ("auto", "tensorrt") and (engine := _engine_beside(bundle)) is not None:
            return engine
        detector = bundle.spec.detector
        return OnnxRuntimeEngine(
            bundle.path,
            backend=backend,
            threads=threads,
            cache=cache,
            reuse_outputs=detector is None or detector.format != "boxes",
        )
    if backend not in ("auto", "tensorrt"):
        raise ConfigError(
            f"{bundle.path} is a TensorRT engine, which the backend {backend} cannot run",
            hint="use --set model.backend=auto, or name the .onnx file of the model",
        )
    return TensorRtEngine(bundle.path, bundle.spec)


def _engine_beside(bundle: Bundle) -> Engine | None:
    """Return the engine that was built from the bundle's ONNX file, None where there is none or it does not run."""
    path = bundle.path.with_suffix(".engine")
    if not path.is_file():
        return None
    try:
        record = EngineRecord.read(path)
        if record is None or record.source_sha256 != bundle.sha256:
            log.warning("%s was not built from the present %s and is left aside", path, bundle.path.name)
            return None
        return TensorRtEngine(path, bundle.spec)
    except EngineStaleError as error:
        log.warning("%s; %s runs on ONNX Runtime. %s", error.message, bundle.path.name, error.hint)
    except DependencyError as error:  # a PC that shares the folder with a board
        log.info("%s is left aside: %s", path, error.message)
    return None
