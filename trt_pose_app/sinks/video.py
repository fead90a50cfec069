"""Annotated H.264 video that browsers play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import DrawConfig, VideoConfig
from trt_pose_app.draw import draw_poses, draw_trails
from trt_pose_app.errors import DependencyError, SinkError
from trt_pose_app.message import RunInfo
from trt_pose_app.scene_time import DEFAULT_FPS, scene_time_s
from trt_pose_app.sinks.target import part_of, write_error
from trt_pose_app.trails import Trails
from trt_pose_app.types import Frame, Poses, Timings

# suffix -> muxer and its options
_FORMATS = {
    # The index goes in front, so that a browser starts to play before it has the whole file.
    ".mp4": ("mp4", {"movflags": "+faststart"}),
    # Whole clusters reach the disk every second: a run that is killed leaves what it had in a file that plays.
    ".mkv": ("matroska", {"cluster_time_limit": "1000", "flush_packets": "1"}),
}
_TICKS_HZ = 90_000  # fine enough for any camera, and divisible by the usual rates
# High definition's colours, computed and said so in the file: a player must not guess (ffmpeg's number of BT.709).
_BT709 = 1


class VideoSink:
    """Draws each frame's people and encodes it, with the time stamps of the source.

    Everything goes to ``NAME.part``, which takes its name when complete: a half video is never under the final name.
    Frames of another size than the first are fitted into the first's; odd sizes grow by one pixel, as H.264 in
    4:2:0 needs even ones.
    """

    def __init__(self, path: Path, run: RunInfo, video: VideoConfig, draw: DrawConfig) -> None:
        if "libx264" not in av.codecs_available:
            raise DependencyError("this PyAV has no H.264 encoder (libx264)", hint="pip install --force-reinstall av")
        self._path = path.resolve()
        self._video = video
        self._draw = draw
        self._live = run.live
        self._fps = run.fps or DEFAULT_FPS
        self._clock = _Clock(self._fps)
        self._trails = Trails(draw.trails_s)
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)
        self._lock = Lock()  # a close from another thread waits for the frame in hand

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        with self._lock:
            try:
                if self._container is None:
                    self._open(frame.width, frame.height)
                time_s = scene_time_s(frame, live=self._live, fps=self._fps)
                self._trails.add(poses, time_s)
                image = draw_trails(frame.image, self._trails.paths(), self._draw)
                self._encode(self._fitted(draw_poses(image, poses, self._draw)), self._clock.ticks(time_s))
            except (OSError, av.FFmpegError) as error:
                raise _failed(self._path, error) from error

    def close(self) -> None:
        """Write what the encoder still holds, finish the file and give it its name."""
        with self._lock:
            container, self._container = self._container, None
            if container is None:
                return
            part = part_of(self._path)
            try:
                # An encoder that refused the size never opened, and PyAV 19 crashes when such a one is flushed.
                encoded = self._stream.codec_context.is_open
                try:
                    if encoded:
                        container.mux(self._stream.encode(None))
                finally:
                    container.close()
                if encoded:
                    part.replace(self._path)
                else:
                    part.unlink(missing_ok=True)
            except (OSError, av.FFmpegError) as error:
                if self._path.suffix.lower() == ".mp4":  # without its index it is of no use, and the disk may be full
                    part.unlink(missing_ok=True)
                raise _failed(self._path, error) from error

    def _open(self, width: int, height: int) -> None:
        muxer, options = _FORMATS[self._path.suffix.lower()]
        container = av.open(str(part_of(self._path)), "w", format=muxer, options=options)
        stream = container.add_stream(
            "libx264",
            rate=Fraction(self._fps).limit_denominator(1001),
            options={"crf": str(self._video.crf), "preset": self._video.preset},
        )
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
        for name in ("color_primaries", "color_trc", "colorspace"):
            setattr(stream.codec_context, name, _BT709)
        self._container, self._stream, self._size = container, stream, (width, height)

    def _encode(self, image: NDArray[np.uint8], ticks: int) -> None:
        picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
            format="yuv420p", dst_colorspace=_BT709, dst_color_range="MPEG"
        )
        picture.pts, picture.time_base = ticks, Fraction(1, _TICKS_HZ)
        picture.duration = round(_TICKS_HZ / self._fps)  # of use for the last frame alone
        self._container.mux(self._stream.encode(picture))

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image in the video's size: letterboxed if the source changed its own, then made even."""
        width, height = self._size
        if image.shape[:2] != (height, width):
            scale = min(width / image.shape[1], height / image.shape[0])
            inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
            left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
            resized = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            image = np.zeros((height, width, 3), np.uint8)
            image[top : top + inner[1], left : left + inner[0]] = resized
        if width % 2 or height % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        return image


class _Clock:
    """Time stamps in ticks, strictly increasing from 0."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._origin_s: float | None = None
        self._last = 0

    def ticks(self, time_s: float) -> int:
        if self._origin_s is None:
            self._origin_s = time_s
            return 0
        ticks = round((time_s - self._origin_s) * _TICKS_HZ)
        if ticks <= self._last:  # a file played again from its start, or a time stamp given twice: one frame later
            ticks = self._last + max(1, round(_TICKS_HZ / self._fps))
            self._origin_s = time_s - ticks / _TICKS_HZ
        self._last = ticks
        return ticks


def _failed(path: Path, error: OSError | av.FFmpegError) -> SinkError:
    if isinstance(error, OSError) and error.errno:
        return write_error(path, error)
    return SinkError(f"cannot encode {path}: {error}", hint="try another size, or set video.preset to ultrafast")
