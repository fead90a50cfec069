"""Pictures from files."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DependencyError, SourceError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources.iteration import FrameIteration
from trt_pose_app.sources.protocol import SourceInfo
from trt_pose_app.types import Frame

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class ImageSource(FrameIteration):
    """The pictures ``paths`` in the order given, each read when its turn comes.

    A frame's ``source`` is the path of its own picture. Damaged pictures are logged by name, counted in ``skipped``
    and passed over; if none at all can be read, that is a SourceLostError. With ``loop`` they start again.
    """

    def __init__(self, paths: Sequence[Path], name: str, *, loop: bool = False) -> None:
        self.info = SourceInfo(name, 0, 0, None, live=False, seekable=True, frames=None if loop else len(paths))
        self.dropped = 0
        self.skipped = 0
        self._paths = paths
        self._loop = loop
        self._next = 0
        self._index = 0
        self._closed = False

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next picture that can be decoded, or None after the last."""
        del timeout_s  # a disk is not waited for
        while not self._closed:
            if self._next == len(self._paths):
                if not self._index:
                    raise SourceLostError(
                        f"none of the {len(self._paths)} pictures of {self.info.name} can be read",
                        hint="the log names each and its fault",
                    )
                if not self._loop:
                    return None
                self._next = 0
            path = self._paths[self._next]
            self._next += 1
            captured_s = time.monotonic()
            try:
                image = read_image(path)
            except SourceError as error:
                self.skipped += 1
                log.warning("skipped: %s", error.message)
                continue
            frame = Frame(image, self._index, captured_s, time.time(), str(path))
            self._index += 1
            return frame
        return None

    def close(self) -> None:
        """Read no further. Idempotent."""
        self._closed = True


class SingleImageSource(FrameIteration):
    """One picture given by name, decoded at once: a broken one is an error, not something to skip."""

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        self._image = read_image(path)
        height, width = self._image.shape[:2]
        frames = None if loop else 1
        self.info = SourceInfo(str(path), width, height, None, live=False, seekable=True, frames=frames)
        self.dropped = self.skipped = 0
        self._loop = loop
        self._index = 0
        self._lock = Lock()
        self._closed = False

    def read(self, timeout_s: float) -> Frame | None:
        """Return the picture the first time, then None; with ``loop`` always the picture."""
        del timeout_s
        with self._lock:
            if self._closed or (self._index and not self._loop):
                return None
            frame = Frame(self._image, self._index, time.monotonic(), time.time(), self.info.name)
            self._index += 1
            return frame

    def close(self) -> None:
        """Return no further frame. Idempotent."""
        self._closed = True


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the picture as (H, W, 3) BGR, turned upright as its EXIF data says.

    Raises SourceUnavailableError if the file cannot be read, SourceLostError if it is damaged.
    """
    try:
        import cv2
    except ImportError as error:
        raise DependencyError("pictures need OpenCV", hint="pip install 'trt-pose-app[cpu]'") from error
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceUnavailableError(
            f"cannot read {path}: {error.strerror}", hint="check the path and its permissions"
        ) from error
    if jpeg_cut_short(data):
        raise SourceLostError(f"{path} is truncated", hint="get the whole file again")
    try:
        image: NDArray[np.uint8] | None = (
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        )
    except cv2.error:  # its text names source lines of OpenCV, nothing that helps
        image = None
    if image is None:
        raise SourceLostError(f"{path} is no picture, or damaged", hint="check that an image viewer can open it")
    return image


def jpeg_cut_short(data: bytes) -> bool:
    """Return whether ``data`` is a JPEG without its end. Decoders paint the missing part grey and say nothing."""
    if not data.startswith(b"\xff\xd8"):
        return False
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        if data[position + 1] == 0xDA:  # pixels follow; the marker of the end cannot occur among them
            return data.find(b"\xff\xd9", position) < 0
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False
