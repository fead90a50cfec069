"""A window on this machine's screen."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import DrawConfig
from trt_pose_app.draw import draw_poses, draw_trails
from trt_pose_app.errors import DependencyError, SinkError
from trt_pose_app.message import RunInfo
from trt_pose_app.scene_time import scene_time_s
from trt_pose_app.sinks.protocol import StopRun
from trt_pose_app.trails import Trails
from trt_pose_app.types import Frame, Poses, Timings

_QUIT_KEYS = (ord("q"), ord("Q"), 27)
_PROBE = "import cv2; cv2.namedWindow('trt-pose'); cv2.destroyAllWindows()"
_PROBE_TIMEOUT_S = 20.0  # a Jetson that is busy loads Qt or GTK slowly


class DisplaySink:
    """Shows each frame with its people. q, Escape or closing the window ends the run.

    The window belongs to the thread that calls ``emit``: window systems allow one thread only.
    """

    def __init__(self, title: str, run: RunInfo, draw: DrawConfig) -> None:
        check_display()
        self._title = title
        self._run = run
        self._draw = draw
        self._trails = Trails(draw.trails_s)
        self._open = False

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        try:
            self._trails.add(poses, scene_time_s(frame, live=self._run.live, fps=self._run.fps))
            image = draw_trails(frame.image, self._trails.paths(), self._draw)
            self._show(draw_poses(image, poses, self._draw))
        except cv2.error as error:
            raise SinkError(
                f"the window failed: {error}", hint="check that the screen is still there; see `trt-pose doctor`"
            ) from error

    def close(self) -> None:
        if self._open:
            self._open = False
            cv2.destroyAllWindows()

    def _show(self, image: NDArray[np.uint8]) -> None:
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._open = True
        elif _closed(self._title):
            raise StopRun
        cv2.imshow(self._title, image)
        if cv2.waitKey(1) & 0xFF in _QUIT_KEYS:
            raise StopRun


@cache
def check_display() -> None:
    """Raise DependencyError unless a window can be opened here.

    The toolkits under OpenCV end the whole process when the screen cannot be reached or one of their libraries is
    missing, so another process tries first.
    """
    if _gui() == "NONE":
        raise DependencyError(
            "this OpenCV is built without windows (opencv-python-headless)",
            hint="pip uninstall opencv-python-headless, then pip install 'trt-pose-app[desktop]'; "
            "on a Jetson: sudo apt install python3-opencv",
        )
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise DependencyError(
            "no screen: neither DISPLAY nor WAYLAND_DISPLAY is set",
            hint="export DISPLAY=:0 on a board with a monitor, use ssh -X, or write out.mp4 instead",
        )
    try:
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise DependencyError(
            "the screen does not answer", hint="check DISPLAY and its authorisation, or write out.mp4 instead"
        ) from error
    if probe.returncode:
        reason = next((line for line in probe.stderr.splitlines() if line.strip()), f"status {probe.returncode}")
        raise DependencyError(
            f"no window can be opened: {reason.strip()}",
            hint="check DISPLAY and xauth; for a missing library: sudo apt install libgl1 libglib2.0-0 libsm6 libxext6",
        )


def _closed(title: str) -> bool:
    try:
        return bool(cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1)
    except cv2.error:  # OpenCV 5 with Qt has forgotten a window that its user closed, OpenCV 4 says it is not visible
        return True


def _gui() -> str:
    """Return the window system that OpenCV was built with: QT5, GTK3, ... or NONE."""
    lines = (line.split() for line in cv2.getBuildInformation().splitlines())
    return next((words[1] for words in lines if len(words) > 1 and words[0] == "GUI:"), "unknown")
