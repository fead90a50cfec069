"""Local cameras through OpenCV: V4L2 devices and CSI sensors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import DependencyError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources.csi import csi_pipeline
from trt_pose_app.sources.live import Picture
from trt_pose_app.sources.orientation import Flip, flipped

log = logging.getLogger(__name__)

# USB 2 carries uncompressed pictures up to about here; beyond, cameras offer a few a second unless asked for MJPEG.
_RAW_PIXELS, _RAW_FPS = 640 * 480, 30


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

    if not Path(device).exists():  # asked first, as OpenCV prints warnings of its own
        raise SourceUnavailableError(f"{device} is not there", hint="plug the camera in; see `trt-pose cameras`")
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


def check_opencv(kind: str) -> None:
    """Raise DependencyError unless OpenCV is there and, for ``csi``, was built with GStreamer."""
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(
            "local cameras need OpenCV",
            hint="on a Jetson use the system's (a venv with --system-site-packages); elsewhere "
            "pip install 'trt-pose-app[cpu]'",
        ) from error
    if kind == "csi" and cv2.CAP_GSTREAMER not in _backends(cv2.videoio_registry.getCameraBackends):
        raise DependencyError(
            f"CSI cameras need an OpenCV with GStreamer; this one ({cv2.__file__}) has none",
            hint="pip's wheels never have it: pip uninstall opencv-python opencv-python-headless, then use the "
            "Jetson's own OpenCV in a venv made with --system-site-packages",
        )


def _backends(listed: Callable[[], Any]) -> list[int]:
    return [int(backend) for backend in listed()]
