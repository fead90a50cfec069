"""``synthetic://people``: moving stick people, for demonstrations and tests without a file or a camera."""

from __future__ import annotations

import time
from collections.abc import Mapping
from difflib import get_close_matches
from threading import Event

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError, DependencyError, SourceTimeoutError
from trt_pose_app.sources.iteration import FrameIteration
from trt_pose_app.sources.protocol import SourceInfo
from trt_pose_app.types import Frame

# option -> default, lowest, highest
_OPTIONS = {
    "n": (3, 0, 100),
    "width": (640, 16, 8192),
    "height": (480, 16, 8192),
    "fps": (30, 1, 1000),
    "frames": (0, 0, 10**9),
    "seed": (0, 0, 2**31 - 1),
    "live": (0, 0, 1),
}
# Joints of one person: head, neck, hip, then elbow and hand, knee and foot of each side.
_LIMBS = ((0, 1), (1, 2), (1, 3), (3, 4), (1, 5), (5, 6), (2, 7), (7, 8), (2, 9), (9, 10))


class SyntheticSource(FrameIteration):
    """Draws people who walk about; the same options give the same pixels.

    ``frames=0`` never ends. As fast as it is read, or with ``live=1`` at ``fps`` like a camera: frames that nobody
    reads in time are dropped and counted. Raises ConfigError for a wrong option.
    """

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        try:
            import cv2
        except ImportError as error:
            raise DependencyError("drawing needs OpenCV", hint="pip install 'trt-pose-app[cpu]'") from error
        self._cv2 = cv2
        values = _parse(options)
        self._frames = values["frames"]
        self._fps = values["fps"]
        self._live = bool(values["live"])
        self.info = SourceInfo(
            name, values["width"], values["height"], float(self._fps), live=self._live, seekable=False,
            frames=self._frames or None,
        )  # fmt: skip
        self.dropped = 0
        self.skipped = 0
        rng = np.random.default_rng(values["seed"])
        self._people = rng.uniform(size=(values["n"], 6))
        self._colours = rng.integers(96, 256, size=(values["n"], 3))
        shade = np.linspace(16, 64, values["height"]).astype(np.uint8)
        self._background = np.broadcast_to(shade[:, None, None], (values["height"], values["width"], 3))
        self._index = 0
        self._start_s: float | None = None
        self._closed = Event()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None at the end. Live: the newest one, or SourceTimeoutError before it is due."""
        if self._live and not self._closed.is_set():
            now_s = time.monotonic()
            if self._start_s is None:
                self._start_s = now_s
            due = int((now_s - self._start_s) * self._fps)
            if self._frames:
                due = min(due, self._frames - 1)
            self.dropped += max(0, due - self._index)
            self._index = max(self._index, due)
            wait_s = self._start_s + self._index / self._fps - now_s
            self._closed.wait(max(0.0, min(wait_s, timeout_s)))
            if wait_s > timeout_s and not self._closed.is_set():
                raise SourceTimeoutError(
                    f"no frame from {self.info.name} within {timeout_s:g} s", hint="it comes at the rate that fps= says"
                )
        if self._closed.is_set() or (self._frames and self._index >= self._frames):
            return None
        captured_s = time.monotonic()
        image = self._draw(self._index)
        frame = Frame(image, self._index, captured_s, time.time(), self.info.name, self._index / self._fps)
        self._index += 1
        return frame

    def close(self) -> None:
        """Deliver nothing more. Idempotent."""
        self._closed.set()

    def joints(self, index: int) -> NDArray[np.float64]:
        """Return where the joints of frame ``index`` are drawn: (n, 11, 2) pixels."""
        x, y, size, speed, phase, bounce = self._people.T
        swing = np.sin(2 * np.pi * (index / self._fps * (0.6 + speed) + phase))
        height_px = self.info.height * (0.35 + 0.4 * size)
        # Each walks to and fro across the picture: a triangle wave stays inside and never jumps.
        place = np.abs((x + phase + index / self._fps * (0.05 + 0.1 * speed)) % 2 - 1)
        margin_px = np.minimum(0.3 * height_px, self.info.width / 2)  # an arm's length
        head_x = margin_px + (self.info.width - 2 * margin_px - 1) * place
        head_y = 0.14 * height_px + (self.info.height - 1.14 * height_px) * y + 0.02 * height_px * bounce * swing
        zero = np.zeros_like(swing)
        arm, leg = 0.14 * swing, 0.12 * swing
        offsets = [
            (zero, zero), (zero, zero + 0.16), (zero, zero + 0.5),
            (zero - 0.13, zero + 0.3), (arm - 0.15, zero + 0.46), (zero + 0.13, zero + 0.3), (0.15 - arm, zero + 0.46),
            (leg - 0.06, zero + 0.74), (leg - 0.08, zero + 0.98), (0.06 - leg, zero + 0.74), (0.08 - leg, zero + 0.98),
        ]  # fmt: skip
        return np.stack([np.stack([head_x + dx * height_px, head_y + dy * height_px], -1) for dx, dy in offsets], 1)

    def _draw(self, index: int) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self._background.copy()
        for joints, colour in zip(self.joints(index).round().astype(int).tolist(), self._colours.tolist()):
            length = max(8, joints[2][1] - joints[1][1])
            for a, b in _LIMBS:
                self._cv2.line(image, joints[a], joints[b], colour, max(2, length // 6), self._cv2.LINE_AA)
            self._cv2.circle(image, joints[0], max(3, length // 3), colour, -1, self._cv2.LINE_AA)
        return image


def _parse(options: Mapping[str, str]) -> dict[str, int]:
    values = {option: default for option, (default, _, _) in _OPTIONS.items()}
    for option, text in options.items():
        if option not in _OPTIONS:
            close = get_close_matches(option, _OPTIONS, n=1, cutoff=0.3)
            raise ConfigError(
                f"synthetic://people has no option {option!r}",
                hint=f"did you mean {close[0]}?" if close else f"its options are {', '.join(_OPTIONS)}",
            )
        _, low, high = _OPTIONS[option]
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ConfigError(
                f"synthetic://people: {option}={text} is no whole number in {low}..{high}",
                hint=f"write for example {option}={_OPTIONS[option][0]}",
            )
        values[option] = int(text)
    return values
