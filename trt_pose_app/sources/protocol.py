"""The seam at which frames enter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

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
    Iterating reads to the end and sits out timeouts.
    """

    @property
    def info(self) -> SourceInfo: ...

    @property
    def dropped(self) -> int: ...

    @property
    def skipped(self) -> int: ...

    def read(self, timeout_s: float) -> Frame | None: ...

    def close(self) -> None: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
