"""Network cameras: RTSP, and MJPEG or HLS over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import SourceError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources.ffmpeg import import_av, reason
from trt_pose_app.sources.live import Picture
from trt_pose_app.sources.orientation import flipped
from trt_pose_app.sources.uri import SourceUri


class NetworkCapture:
    """One connection to a network camera. ``read`` waits for the next decoded frame. Raises SourceError."""

    def __init__(self, uri: SourceUri, config: SourceConfig) -> None:
        self._av = import_av()
        self._name = uri.name
        self._flip = config.flip
        self.damaged = 0
        timeout_s = config.stall_timeout_s
        started_s = time.monotonic()
        failure: SourceError | None = None
        try:
            self._container = self._av.open(uri.target, options=_options(uri, config), timeout=(timeout_s, timeout_s))
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            failure = self._unavailable(error, in_time=time.monotonic() - started_s < timeout_s)
        # Raised out here: as its context, PyAV's exception would carry the URL and the password in it.
        if failure is not None:
            raise failure
        if not self._container.streams.video:
            self._container.close()
            raise SourceUnavailableError(f"{self._name} has no video", hint="give the address of a video stream")
        stream = self._container.streams.video[0]
        # Threads over frames would hold back one frame each; over slices they do not.
        stream.thread_type = "SLICE"
        self._frames = self._decoded(stream)

    def read(self) -> Picture:
        """Return the next frame. Raises SourceLostError when the stream ends, breaks or falls silent."""
        failure: SourceError | None = None
        frame = None
        try:
            frame = next(self._frames, None)
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            failure = SourceLostError(
                f"{self._name}: {_in_words(self._av, error)}", hint="check the camera and the network to it"
            )
        if failure is not None:
            raise failure
        if frame is None:
            raise SourceLostError(f"{self._name} ended the stream", hint="check the camera and the network to it")
        flip, decoded = self._flip, frame

        def picture() -> NDArray[np.uint8]:
            return flipped(decoded.to_ndarray(format="bgr24"), flip)

        return picture

    def close(self) -> None:
        self._container.close()

    def _decoded(self, stream: Any) -> Iterator[Any]:
        for packet in self._container.demux(stream):
            try:
                frames = packet.decode()
            except self._av.error.InvalidDataError:
                self.damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.damaged += 1
                else:
                    yield frame

    def _unavailable(self, error: Exception, *, in_time: bool) -> SourceUnavailableError:
        if not in_time:  # FFmpeg calls an interrupted dialogue invalid data
            return SourceUnavailableError(
                f"{self._name}: no answer in time", hint="check the camera; a slow one needs a longer stall_timeout_s"
            )
        if isinstance(error, self._av.error.HTTPUnauthorizedError | self._av.error.HTTPForbiddenError):
            return SourceUnavailableError(
                f"{self._name} refuses user or password", hint="write them as rtsp://user:password@host/path"
            )
        if isinstance(error, self._av.error.HTTPNotFoundError):
            return SourceUnavailableError(
                f"{self._name}: the camera knows no such path", hint="look the stream's path up in its manual"
            )
        return SourceUnavailableError(
            f"{self._name}: {_in_words(self._av, error)}", hint="check the camera's power, network and address"
        )


def _options(uri: SourceUri, config: SourceConfig) -> dict[str, str]:
    if not uri.target.lower().startswith("rtsp"):
        return {}
    return {
        "rtsp_transport": config.rtsp_transport,
        "allowed_media_types": "video",
        # Guessing the frame rate takes 0.8 s of video, and nobody needs it: 1.2 s to open becomes 0.4 s.
        "fpsprobesize": "0",
    }


def _in_words(av: Any, error: Exception) -> str:
    if isinstance(error, av.error.ExitError):  # FFmpeg's name for being interrupted by the timeout
        return "no answer in time"
    return reason(error)
