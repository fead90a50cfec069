"""What the loop and the command line ask of an estimator, whatever networks it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from trt_pose_app.engines.protocol import Engine
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame ready for its first network: its picture, the input tensor, its geometry and the milliseconds it took."""

    image: NDArray[np.uint8]
    feeds: Mapping[str, NDArray[Any]]
    geometry: Geometry
    preprocess_ms: float


class Estimator(Protocol):
    """Frames in, ``Poses`` out, in three stages: ``prepare`` may run on another thread than the other two.

    ``spec`` and ``engine`` are those of the network that finds keypoints. What ``infer`` returns stays valid until the
    next ``infer``; an empty mapping says that no network ran for this frame.
    """

    spec: ModelSpec
    engine: Engine
    skeleton: Skeleton

    def prepare(self, frame: Frame) -> Prepared: ...

    def infer(self, prepared: Prepared) -> Mapping[str, NDArray[Any]]: ...

    def decode(self, maps: Mapping[str, NDArray[Any]], prepared: Prepared) -> Poses: ...

    def __call__(self, frame: Frame | NDArray[np.uint8]) -> Poses: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def as_frame(frame: Frame | NDArray[np.uint8]) -> Frame:
    """Return ``frame``, or an (H, W, 3) BGR uint8 picture as a frame without a place in time."""
    return frame if isinstance(frame, Frame) else Frame(frame, 0, 0.0, 0.0, "array")
