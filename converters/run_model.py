"""One run of an ONNX model in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from trt_pose_app.errors import DependencyError, EngineBuildError
from trt_pose_app.models.spec import ModelSpec


def run_model(model: onnx.ModelProto, spec: ModelSpec, picture: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the outputs by name for an input tensor with a batch axis of 1, repeated to a fixed batch.

    The tensor is cast to the model's type. Raises DependencyError without ONNX Runtime, EngineBuildError if it
    cannot run the model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError("ONNX Runtime is not installed", hint="pip install 'trt-pose-app[convert]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        wanted = session.get_inputs()[0]
        batch = wanted.shape[0] if isinstance(wanted.shape[0], int) else 1
        dtype = onnx.helper.tensor_dtype_to_np_dtype(
            next(i for i in model.graph.input if i.name == wanted.name).type.tensor_type.elem_type
        )
        feed = np.repeat(picture.astype(dtype), batch, axis=0)
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {wanted.name: feed})))
    except Exception as error:  # the C++ side raises a dozen unrelated types
        raise EngineBuildError(
            f"ONNX Runtime cannot run {spec.name}: {str(error).strip().splitlines()[0]}",
            hint="the network uses an operator that ONNX Runtime lacks, or the conversion is at fault",
        ) from error
