"""Which engine runs which file."""

from __future__ import annotations

from pathlib import Path

from trt_pose_app.engines.onnxruntime import Backend, OnnxRuntimeEngine
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.engines.tensorrt import TensorRtEngine
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.bundle import Bundle


def open_engine(bundle: Bundle, *, backend: Backend = "auto", threads: int = 0, cache: Path | None = None) -> Engine:
    """Return the engine for a bundle: TensorRT for an .engine, ONNX Runtime for an .onnx.

    ``threads`` and ``cache`` are ONNX Runtime's. Raises what these engines raise, and ConfigError for a backend that
    cannot run the file.
    """
    if bundle.path.suffix != ".engine":
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
