"""``for frame in source`` and ``with source``, for every source of this package."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from trt_pose_app.closing import Closing
from trt_pose_app.errors import SourceTimeoutError
from trt_pose_app.types import Frame

_WAIT_S = 1.0  # only how often a quiet live source is asked again


class FrameIteration(Closing):
    """What follows from ``read`` and ``close``: iteration, which waits as long as it takes, and ``with``."""

    @abstractmethod
    def read(self, timeout_s: float) -> Frame | None: ...

    def __iter__(self) -> Iterator[Frame]:
        while True:
            try:
                frame = self.read(_WAIT_S)
            except SourceTimeoutError:
                continue
            if frame is None:
                return
            yield frame
