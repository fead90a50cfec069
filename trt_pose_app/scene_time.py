"""When what a frame shows took place."""

from __future__ import annotations

from trt_pose_app.types import Frame

DEFAULT_FPS = 25.0  # of pictures, and of videos that do not tell


def scene_time_s(frame: Frame, *, live: bool, fps: float | None) -> float:
    """Return the seconds between what different frames of one source show, from an origin of its own.

    A camera's own time stamps start anywhere and jump when it comes back, so the time of capture counts there. A file
    is read at any speed: its time stamps count, or without them ``fps`` and the frame's number.
    """
    if live:
        return frame.captured_s
    return frame.index / (fps or DEFAULT_FPS) if frame.pts_s is None else frame.pts_s
