"""The check of what an engine is fed, the same for every runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from trt_pose_app.errors import EngineError
from trt_pose_app.types import TensorSpec


def check_feeds(inputs: Mapping[str, TensorSpec], feeds: Mapping[str, NDArray[Any]]) -> None:
    """Raise EngineError, which says what is wrong, unless ``feeds`` suits ``inputs`` in names, shapes and dtypes."""
    if feeds.keys() != inputs.keys():
        raise EngineError(
            f"the network wants the inputs {sorted(inputs)}, not {sorted(feeds)}",
            hint="the spec's [input] name must be the network's",
        )
    for name, array in feeds.items():
        spec = inputs[name]
        fits = array.ndim == len(spec.shape) and all(w in (-1, h) for w, h in zip(spec.shape, array.shape))
        if not fits or array.dtype.name != spec.dtype:
            raise EngineError(
                f"input {name!r} is {array.shape} {array.dtype}, the network wants {spec.shape} {spec.dtype}",
                hint="-1 is free; correct the spec's [input] table or leave out --input-size",
            )
