"""Annotated pictures: one per frame, or the newest alone."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from time import monotonic

import cv2

from trt_pose_app.config.schema import DrawConfig
from trt_pose_app.draw import draw_poses
from trt_pose_app.errors import SinkError
from trt_pose_app.sinks.target import check_not_source, part_of, write_error
from trt_pose_app.types import Frame, Poses, Timings

SUFFIXES = (".jpg", ".jpeg", ".png")
IMAGE_SOURCES = (*SUFFIXES, ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_JPEG_QUALITY = 92  # lines stay clean; half the size of OpenCV's 95
_REFRESH_S = 1.0


class NewestImageSink:
    """Keeps one file up to date: the first frame at once, then the newest once a second, at the end the last."""

    def __init__(self, path: Path, draw: DrawConfig) -> None:
        self._path = path.resolve()
        self._draw = draw
        self._waiting: tuple[Frame, Poses] | None = None
        self._written_s = float("-inf")
        self._lock = Lock()

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        with self._lock:
            self._waiting = (frame, poses)
            if monotonic() - self._written_s >= _REFRESH_S:
                self._write()

    def close(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        if self._waiting is not None:
            write_image(self._path, *self._waiting, self._draw)
            self._waiting, self._written_s = None, monotonic()


class ImagesSink:
    """Writes every frame. ``pattern`` is a path with one %d for the frame's number, or a folder.

    In a folder a picture keeps its source's name and a video frame is called by its number. Pictures that share a
    name (from two folders, or of two formats) get their frame's number as well.
    """

    def __init__(self, pattern: Path, draw: DrawConfig) -> None:
        self._pattern = pattern
        self._in_folder = pattern.suffix.lower() not in SUFFIXES
        self._draw = draw
        self._names: set[str] = set()

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        path = self._pattern / self._name(frame) if self._in_folder else Path(str(self._pattern) % frame.index)
        check_not_source(path, frame.source)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(path, error) from error
        write_image(path, frame, poses, self._draw)

    def close(self) -> None:
        pass

    def _name(self, frame: Frame) -> str:
        source = Path(frame.source)
        if frame.pts_s is not None or source.suffix.lower() not in IMAGE_SOURCES:
            return f"{frame.index:06d}.jpg"
        name = source.stem if source.stem not in self._names else f"{source.stem}-{frame.index}"
        self._names.add(name)
        return f"{name}.jpg"


def write_image(path: Path, frame: Frame, poses: Poses, draw: DrawConfig) -> None:
    """Draw the people and write the picture in the format of its suffix, never half of it. Raises SinkError."""
    options = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    part = part_of(path)
    try:
        encoded, data = cv2.imencode(path.suffix.lower(), draw_poses(frame.image, poses, draw), options)
        if not encoded:
            raise _too_large(path)
        part.write_bytes(data.tobytes())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise write_error(path, error) from error
    except cv2.error as error:
        raise _too_large(path) from error


def _too_large(path: Path) -> SinkError:
    # OpenCV says no more than that it failed, and there is nothing else to fail at in an 8-bit BGR picture.
    return SinkError(f"cannot encode {path}", hint="JPEG ends at 65500 pixels a side; write .png instead")
