"""Constants folded and dead ends removed, without a change of what is computed."""

from __future__ import annotations

import logging

import numpy as np
import onnx

from converters.run_model import run_model
from trt_pose_app.errors import DependencyError
from trt_pose_app.models.spec import ModelSpec

_LOG = logging.getLogger(__name__)

# Another order of the same sums in float32; anything beyond is another network.
_TOLERANCE = 1e-4


def simplify(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """Return a smaller graph that gives the same outputs, checked on one random picture.

    A simplification that changes an output is thrown away with a warning, and the model comes back as it was.
    Raises DependencyError without onnxslim.
    """
    try:
        import onnxslim
    except ImportError as error:
        raise DependencyError("onnxslim is not installed", hint="pip install 'trt-pose-app[convert]'") from error
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # onnxslim works in place
    slim: onnx.ModelProto = onnxslim.slim(copy)
    del slim.graph.value_info[:]  # shapes it inferred for this size would forbid others
    slim.ir_version = model.ir_version
    picture = np.random.default_rng(0).uniform(-2, 2, (1, 3, spec.input.height, spec.input.width))
    before, after = (run_model(one, spec, picture) for one in (model, slim))
    for name, wanted in before.items():
        scale = max(float(np.ptp(wanted)), 1e-6)
        if wanted.shape != after[name].shape or float(np.abs(wanted - after[name]).max(initial=0)) > _TOLERANCE * scale:
            _LOG.warning("simplifying changes the output %s, so the graph stays as it was exported", name)
            return model
    return slim
