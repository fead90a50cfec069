"""The seam at which frames enter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trt_pose_app.types import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open. Sizes are 0 and ``fps`` None where pictures differ or nobody says.

    ``live`` sources drop frames rather than fall behind. ``frames`` is the expected count, or None.
    """

    name: str
    width: int
    height: int
    fps: float | None
    live: bool
    seekable: bool
    frames: int | None = None


class Source(Protocol):
    """Frames, one after another.

    ``read`` returns the next frame, or None at the end of a file. Raises SourceTimeoutError when none came within
    ``timeout_s``, SourceLostError when the source went away or is damaged. ``close`` may be called from any thread
    and more than once. ``dropped`` counts frames captured and never read; ``skipped`` those too damaged to decode.
    """

    info: SourceInfo
    dropped: int
    skipped: int

    def read(self, timeout_s: float) -> Frame | None: ...

    def close(self) -> None: ...
