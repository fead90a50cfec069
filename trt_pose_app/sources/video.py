"""Video files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from trt_pose_app.errors import SourceError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources.container import cut_short
from trt_pose_app.sources.ffmpeg import import_av, reason
from trt_pose_app.sources.iteration import FrameIteration
from trt_pose_app.sources.orientation import rotated
from trt_pose_app.sources.protocol import SourceInfo
from trt_pose_app.types import Frame

log = logging.getLogger(__name__)


class VideoSource(FrameIteration):
    """The frames of a video file, upright, with ``pts_s`` from the file, so that variable rates come out right.

    Frames that cannot be decoded are counted in ``skipped`` and passed over. A file that is cut off delivers what it
    has and then raises SourceLostError. With ``loop`` it starts again, and ``pts_s`` goes on rising. Decoding runs
    on all cores. Raises SourceUnavailableError where there is no frame to begin with.
    """

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        self._av = import_av()
        self._path = path
        self._loop = loop
        self._lock = Lock()  # close() may come from another thread while read() is inside the decoder
        self._closed = False
        self._index = 0
        self._lap_s = 0.0
        self._last_s = 0.0
        self._lost: SourceLostError | None = None
        self.dropped = 0
        self.skipped = 0
        try:
            self._cut = cut_short(path)
        except OSError as error:
            raise SourceUnavailableError(
                f"cannot read {path}: {error.strerror}", hint="check the path and its permissions"
            ) from error
        self._frames = self._open()
        try:
            self._first = next(self._frames, None)
        except (self._av.error.FFmpegError, SourceLostError) as error:
            self.close()
            raise self._unavailable(error) from error
        if self._first is None:
            self.close()
            raise self._unavailable(None)
        stream = self._container.streams.video[0]
        height, width = self._first.height, self._first.width
        if round(self._first.rotation / 90) % 2:
            height, width = width, height
        rate = stream.average_rate
        self.info = SourceInfo(
            str(path), width, height, float(rate) if rate else None, live=False, seekable=True,
            frames=None if loop else stream.frames or None,
        )  # fmt: skip

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None at the end. Raises SourceLostError where the file breaks off."""
        del timeout_s  # a disk is not waited for
        with self._lock:
            if self._closed:
                return None
            if self._lost is not None:
                raise self._lost
            captured_s = time.monotonic()
            try:
                decoded = self._next()
            except SourceLostError as error:
                self._lost = error
                raise
            if decoded is None:
                return None
            image = rotated(decoded.to_ndarray(format="bgr24"), decoded.rotation)
            pts_s = None if decoded.time is None else decoded.time + self._lap_s
            if pts_s is not None:
                self._last_s = pts_s
            frame = Frame(image, self._index, captured_s, time.time(), self.info.name, pts_s)
            self._index += 1
            return frame

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._container.close()

    def _next(self) -> Any:
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        frame = next(self._frames, None)
        if frame is None and self._loop:
            self._container.close()
            self._frames = self._open()
            # The first frame of the next lap comes one frame's time after the last one of this.
            self._lap_s = self._last_s + (1 / self.info.fps if self.info.fps else 0.0)
            frame = next(self._frames, None)
        return frame

    def _open(self) -> Iterator[Any]:
        try:
            # The prefix keeps FFmpeg from taking "a:b.mp4" for a protocol.
            self._container = self._av.open(f"file:{self._path}")
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise self._unavailable(error) from error
        if not self._container.streams.video:
            self._container.close()
            raise SourceUnavailableError(f"{self._path} has no video stream", hint="give a file with pictures in it")
        self._container.streams.video[0].thread_type = "AUTO"
        return self._decoded()

    def _decoded(self) -> Iterator[Any]:
        stream = self._container.streams.video[0]
        ends_inside_packet = False
        packets = self._container.demux()  # all streams: a cut may show in the sound only
        while True:
            try:
                packet = next(packets, None)
            except self._av.error.FFmpegError as error:
                raise self._broken(f"breaks off ({reason(error)})") from error
            if packet is None:
                break
            if packet.size:
                ends_inside_packet = packet.is_corrupt
            if packet.stream is not stream:
                continue
            if packet.is_corrupt:
                self.skipped += 1
                continue
            try:
                frames = packet.decode()
            except self._av.error.FFmpegError as error:
                self.skipped += 1
                log.debug("%s: %s", self._path, reason(error))
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.skipped += 1
                else:
                    yield frame
        if self._cut or ends_inside_packet:
            raise self._broken("is truncated")
        if self.skipped:
            log.warning("%s: %d damaged frames were skipped", self._path, self.skipped)

    def _broken(self, what: str) -> SourceLostError:
        announced = self._container.streams.video[0].frames
        of = f" of the {announced} announced" if announced else ""
        return SourceLostError(
            f"{self._path} {what}: {self._index} frames{of} could be read",
            hint="get the whole file again; the results so far are those of the readable part",
        )

    def _unavailable(self, error: Exception | None) -> SourceError:
        if self._cut:
            return SourceLostError(
                f"{self._path} is truncated: 0 frames could be read", hint="get the whole file again"
            )
        why = f": {reason(error)}" if error is not None and not isinstance(error, SourceError) else ""
        return SourceUnavailableError(
            f"{self._path} is no video, or has no frame that can be decoded{why}",
            hint="check that a video player can play it",
        )
