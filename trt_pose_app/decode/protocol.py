"""The seam between a network's output maps and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from trt_pose_app.geometry import Geometry
from trt_pose_app.types import Poses


class Decoder(Protocol):
    """Turns the outputs for a batch into one ``Poses`` per frame.

    Pure, re-entrant and total: it ends in bounded time and memory for any floats, NaN and infinity included.
    Raises DecodeError when an array has the wrong shape or dtype, never for odd values.
    """

    def decode(self, outputs: Mapping[str, NDArray[Any]], geometry: Sequence[Geometry]) -> list[Poses]: ...
