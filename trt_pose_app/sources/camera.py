"""Local cameras through OpenCV: V4L2 devices and CSI sensors."""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import ConfigError, DependencyError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources.csi import csi_pipeline
from trt_pose_app.sources.live import Picture
from trt_pose_app.sources.orientation import Flip, flipped

log = logging.getLogger(__name__)

# USB 2 carries uncompressed pictures up to about here; beyond, cameras offer a few a second unless asked for MJPEG.
_RAW_PIXELS, _RAW_FPS = 640 * 480, 30
# The kernel's number for video devices, and OpenCV's for a log of errors only.
_V4L2_MAJOR, _LOG_ERRORS = 81, 2


class OpenCvCapture:
    """An open ``cv2.VideoCapture``. OpenCV waits up to 10 s (V4L2) or 30 s (GStreamer) for a frame."""

    def __init__(self, capture: Any, name: str, flip: Flip) -> None:
        self.damaged = 0
        self._capture = capture
        self._name = name
        self._flip = flip

    def read(self) -> Picture:
        """Return the next frame. Raises SourceLostError when the camera was unplugged or gives none."""
        ok, image = self._capture.read()
        if not ok or image is None:
            raise SourceLostError(
                f"{self._name} gives no more frames", hint="check its cable; it is reopened by itself"
            )

        def picture() -> NDArray[np.uint8]:
            return flipped(image, self._flip)

        return picture

    def close(self) -> None:
        self._capture.release()


def open_v4l2(device: str, config: SourceConfig) -> OpenCvCapture:
    """Open a V4L2 device with the size and rate asked for. Raises SourceUnavailableError."""
    import cv2

    if not Path(device).exists():
        raise SourceUnavailableError(f"{device} is not there yet", hint="plug the camera in; see `trt-pose cameras`")
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    if not capture.isOpened():
        capture.release()
        raise SourceUnavailableError(
            f"{device} cannot be opened",
            hint="is another program using it, and are you in the group video? See `trt-pose cameras`",
        )
    wanted: list[tuple[int, float]] = [
        (getattr(cv2, f"CAP_PROP_FRAME_{side.upper()}"), value)
        for side in ("width", "height")
        if (value := getattr(config, side)) is not None
    ]
    if config.fps is not None:
        wanted.append((cv2.CAP_PROP_FPS, config.fps))
    if (config.width or 0) * (config.height or 0) > _RAW_PIXELS or (config.fps or 0) > _RAW_FPS:
        # Before the size: the sizes on offer depend on the format. A camera without MJPEG keeps its own.
        wanted.insert(0, (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")))
    for prop, value in wanted:
        capture.set(prop, value)
    return OpenCvCapture(capture, device, config.flip)


def open_csi(sensor_id: int, config: SourceConfig) -> OpenCvCapture:
    """Open a CSI sensor. Raises SourceUnavailableError."""
    import cv2

    capture = cv2.VideoCapture(csi_pipeline(sensor_id, config), cv2.CAP_GSTREAMER)
    if not capture.isOpened():
        capture.release()
        raise SourceUnavailableError(
            f"csi://{sensor_id} cannot be opened",
            hint="check the ribbon cable; after a crash `sudo systemctl restart nvargus-daemon` brings it back",
        )
    return OpenCvCapture(capture, f"csi://{sensor_id}", "none")  # the pipeline has flipped it


def check_device(device: str) -> None:
    """Raise ConfigError for what is there and no video device, and so never will be one."""
    try:
        status = Path(device).stat()
    except OSError:  # not there yet, or not for us: the capture says which
        return
    if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) != _V4L2_MAJOR:
        raise ConfigError(f"{device} is no video device", hint="`trt-pose cameras` lists the cameras of this machine")


def check_opencv(kind: str) -> None:
    """Raise DependencyError unless OpenCV is there and, for ``csi``, was built with GStreamer.

    Silences OpenCV's warnings, which it would print at every attempt to reach a camera.
    """
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(
            "local cameras need OpenCV",
            hint="on a Jetson use the system's (a venv with --system-site-packages); elsewhere "
            "pip install 'trt-pose-app[cpu]'",
        ) from error
    if "OPENCV_LOG_LEVEL" not in os.environ:
        set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # OpenCV 4, OpenCV 5
        set_level(_LOG_ERRORS)
    # Its list of backends names GStreamer also where it is not built in.
    if kind == "csi" and not re.search(r"(?m)^\s*GStreamer:\s*YES", cv2.getBuildInformation()):
        raise DependencyError(
            f"CSI cameras need an OpenCV with GStreamer; this one ({cv2.__file__}) has none",
            hint="pip's wheels never have it: pip uninstall opencv-python opencv-python-headless, then "
            "sudo apt install python3-opencv and use it in a venv made with --system-site-packages",
        )
