"""An ONNX model in memory, ready to run on this machine's processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray

from trt_pose_app.errors import DependencyError, EngineBuildError


class Session:
    """Runs ``model`` on the CPU, on which every precision is computed by the same rules.

    Raises DependencyError without ONNX Runtime, EngineBuildError if it cannot load or run the model.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise DependencyError(
                "ONNX Runtime is not installed", hint="pip install 'trt-pose-app[convert]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the C++ side raises a dozen unrelated types
            raise EngineBuildError(f"ONNX Runtime cannot load the network: {_first_line(error)}", hint=_HINT) from error

    def run(self, names: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs ``names``."""
        try:
            return dict(zip(names, self._session.run(list(names), dict(feed))))
        except Exception as error:
            raise EngineBuildError(f"ONNX Runtime cannot run the network: {_first_line(error)}", hint=_HINT) from error


_HINT = "the network uses an operator that ONNX Runtime lacks, or the spec's input is not the network's"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
