"""What of a network's outputs carries meaning, for the comparison of two precisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.models.spec import DetectorSpec, ModelSpec

Signals = dict[str, NDArray[np.float64]]


def signals_of(spec: ModelSpec, outputs: Mapping[str, NDArray[Any]]) -> Signals:
    """Return the outputs by name as float64, without what would outshine the rest.

    A background channel is near 1 everywhere. A detector says something of every cell: its scores count as
    probabilities, and its boxes as far as somebody is in them, all strides together.
    """
    signals = {name: values.astype(np.float64) for name, values in outputs.items()}
    if spec.paf is not None and (background := spec.paf.background_channel) is not None:
        cmap = spec.outputs.get("cmap", "")
        if cmap in signals:
            signals[cmap] = np.delete(signals[cmap], background, axis=1)
    if spec.detector is not None and spec.detector.format == "rtmdet":
        return _people(spec.detector, {role: signals[name] for role, name in spec.outputs.items()})
    return signals


def _people(detector: DetectorSpec, outputs: Mapping[str, NDArray[np.float64]]) -> Signals:
    scores, boxes = [], []
    for stride in detector.strides:
        if f"level{stride}" in outputs:
            level = outputs[f"level{stride}"]
            logit, distance = level[..., detector.person_class], level[..., -4:]
        else:
            logit = outputs[f"class{stride}"][:, detector.person_class]
            distance = outputs[f"box{stride}"].transpose(0, 2, 3, 1)
        score = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
        scores.append(score.ravel())
        boxes.append((distance * score[..., None]).ravel())
    return {"score": np.concatenate(scores), "boxes": np.concatenate(boxes)}
