"""Keypoints: what a top-down network says of the people in its crops, before they become ``Poses``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from trt_pose_app.errors import DecodeError


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """N people of K keypoints: ``xy`` (N, K, 2) float32 pixels of the network's input, NaN where missing; ``score``
    (N, K) float32 in [0, 1], 0 exactly where ``xy`` is NaN."""

    xy: NDArray[np.float32]
    score: NDArray[np.float32]

    @classmethod
    def of(cls, xy: NDArray[np.float32], raw_score: NDArray[np.float32]) -> Self:
        """Clip raw scores, which may be logits above 1; one that is not above 0, or is NaN, makes a point missing."""
        seen = raw_score > 0
        score = np.where(seen, np.minimum(raw_score, np.float32(1)), np.float32(0))
        return cls(np.where(seen[..., None], xy, np.float32(np.nan)), score)


class KeypointDecoder(Protocol):
    """Turns the outputs for a batch of crops into keypoints. Pure, re-entrant and total, as every decoder here."""

    def decode(self, outputs: Mapping[str, NDArray[Any]]) -> Keypoints: ...


def as_float32(
    outputs: Mapping[str, NDArray[Any]], role: str, ndim: int, *, may_be_empty: bool = False
) -> NDArray[np.float32]:
    """Return the output of a role as float32. Raises DecodeError if it is absent, empty, or no float array."""
    if role not in outputs:
        raise DecodeError(
            f"there is no output {role!r} among {', '.join(map(repr, outputs)) or 'none'}",
            hint="the model's [outputs] table maps roles to the network's names",
        )
    array = outputs[role]
    if array.ndim != ndim or array.dtype not in (np.float32, np.float16) or (0 in array.shape[1:] and not may_be_empty):
        raise DecodeError(
            f"{role} is {array.shape} {array.dtype}", hint=f"it is a float array of {ndim} axes, the batch first"
        )
    return array.astype(np.float32, copy=False)
