"""The seam at which results leave."""

from __future__ import annotations

from typing import Protocol

from trt_pose_app.types import Frame, Poses, Timings


class StopRun(Exception):  # noqa: N818 - no error: the user closed the window or pressed q
    """Raised by ``emit`` when the sink's user asks for the end of the run."""


class Sink(Protocol):
    """Takes one result at a time, on the one worker thread that the pipeline gives it, so it may block.

    Raises SinkError. ``close`` flushes: what was emitted is complete and readable afterwards.
    """

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None: ...

    def close(self) -> None: ...
