"""The seam at which results leave."""

from __future__ import annotations

from typing import Protocol

from trt_pose_app.types import Frame, Poses, Timings


class StopRun(Exception):  # noqa: N818 - no error: the window was closed, stdout's reader has gone
    """Raised by ``emit`` when the sink's user asks for the end of the run."""


class Sink(Protocol):
    """Takes one result at a time, on the one worker thread that the pipeline gives it, so it may block.

    ``emit`` raises SinkError or StopRun. ``close`` flushes: what was emitted is complete and readable afterwards.
    It may be called more than once, and from another thread while an ``emit`` does not end.
    """

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None: ...

    def close(self) -> None: ...
