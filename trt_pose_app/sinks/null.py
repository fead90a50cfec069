"""Nothing is kept: for measuring what everything else costs."""

from __future__ import annotations

from trt_pose_app.types import Frame, Poses, Timings


class NullSink:
    """Takes results and forgets them."""

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        pass

    def close(self) -> None:
        pass
