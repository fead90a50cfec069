"""Live sources: the newest frame at once, or a camera that is being waited for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Condition, Event, Thread
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import SourceError, SourceTimeoutError
from trt_pose_app.sources.backoff import delays
from trt_pose_app.sources.iteration import FrameIteration
from trt_pose_app.sources.protocol import SourceInfo
from trt_pose_app.types import Frame

log = logging.getLogger(__name__)

State = Literal["connecting", "streaming", "lost", "closed"]
# Converting to BGR costs as much as decoding, so only the frames that somebody reads are converted.
Picture = Callable[[], NDArray[np.uint8]]

# Opening a stream is several waits: for the connection, for its description and for the first key frame.
_OPENING_STALLS = 3
# Captures that hang are left behind and end when the operating system lets them; no more than this at a time.
_MAX_HANGING = 4
_ADVICE = "check the camera's power, cable and address"
_CLOSE_S = 1.0  # what an orderly release of the camera gets


class Capture(Protocol):
    """One connection to a camera, used by one thread. Constructing it connects.

    Both raise SourceError. ``damaged`` counts frames that could not be decoded.
    """

    damaged: int

    def read(self) -> Picture: ...

    def close(self) -> None: ...


class LiveSource(FrameIteration):
    """Keeps the newest frame of a camera ready, and the camera connected for as long as this is open.

    A capture thread decodes without pause into a slot for one frame. A second thread watches it: after
    ``stall_timeout_s`` without a frame the capture is given up, hanging or not, and another is opened, for ever, with
    growing pauses. A thread that hangs cannot be stopped; it is left behind, and whatever it still delivers is
    refused because its generation has passed. A child process could be killed instead, but costs a copy of each
    frame, and killing a client of the Jetson's camera daemon is what leaves that daemon unusable.

    ``state`` is ``connecting``, ``streaming``, ``lost`` or ``closed``; ``last_error`` says why it was lost, without
    credentials; ``reconnects`` counts returns. Changes of state are logged once, retries are not.
    """

    def __init__(self, name: str, open_capture: Callable[[], Capture], config: SourceConfig) -> None:
        self.info = SourceInfo(name, 0, 0, None, live=True, seekable=False)
        self.dropped = 0
        self.skipped = 0
        self.state: State = "connecting"
        self.last_error: str | None = None
        self._advice = _ADVICE
        self.reconnects = 0
        self._open_capture = open_capture
        self._config = config
        self._changed = Condition()
        self._closing = Event()
        self._generation = 0
        self._slot: tuple[Picture, int, float, float] | None = None
        self._captured = 0  # frames ever captured: the next frame's index
        self._progress_s = 0.0
        self._streaming = False  # this generation has delivered a frame
        self._ended = False  # this generation's capture has ended by itself
        self._hanging: list[Thread] = []
        self._supervisor = Thread(target=self._supervise, name="camera-supervisor", daemon=True)
        self._supervisor.start()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the newest frame not yet read, or None once closed.

        Raises SourceTimeoutError when there is none within ``timeout_s``, also while the camera is away.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._slot is not None or self._closing.is_set(), timeout_s)
            if self._closing.is_set():
                return None
            if self._slot is None:
                reason = f" ({self.last_error})" if self.last_error and self.state == "lost" else ""
                raise SourceTimeoutError(
                    f"no frame from {self.info.name} within {timeout_s:g} s: {self.state}{reason}",
                    hint=self._advice,
                )
            picture, index, captured_s, wall_s = self._slot
            self._slot = None
        image = picture()
        height, width = image.shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            self.info = replace(self.info, width=width, height=height)
            log.info("%s delivers %d x %d", self.info.name, width, height)
        return Frame(image, index, captured_s, wall_s, self.info.name)

    def close(self) -> None:
        """Release the camera. Returns within about a second, even if the camera's driver hangs. Idempotent."""
        with self._changed:
            self._closing.set()
            self.state = "closed"
            self._changed.notify_all()
        self._supervisor.join(_CLOSE_S + 0.5)

    def _supervise(self) -> None:
        pauses = delays(self._config.reconnect_min_s, self._config.reconnect_max_s)
        while not self._closing.is_set():
            self._hanging = [thread for thread in self._hanging if thread.is_alive()]
            if len(self._hanging) >= _MAX_HANGING:
                self._lose(f"{_MAX_HANGING} earlier connections still hang")
            else:
                worker = self._start()
                reason = self._watch()
                self._give_up(worker)
                if self._closing.is_set():
                    return
                if self._streaming:
                    pauses = delays(self._config.reconnect_min_s, self._config.reconnect_max_s)
                self._lose(reason)
            self._closing.wait(next(pauses))

    def _start(self) -> Thread:
        with self._changed:
            self._generation += 1
            self._streaming = self._ended = False
            self._progress_s = time.monotonic()
            generation = self._generation
        worker = Thread(target=self._capture, args=(generation,), name=f"camera-{generation}", daemon=True)
        worker.start()
        return worker

    def _watch(self) -> str:
        """Return why this generation is over: its own error, or that no frame came in time."""
        with self._changed:
            while True:
                patience_s = self._config.stall_timeout_s * (1 if self._streaming else _OPENING_STALLS)
                left_s = self._progress_s + patience_s - time.monotonic()
                if self._closing.is_set():
                    return "closed"
                if self._ended:
                    return self.last_error or "it ended"
                if left_s <= 0:
                    return f"no frame for {patience_s:g} s"
                self._changed.wait(left_s)

    def _give_up(self, worker: Thread) -> None:
        with self._changed:
            self._generation += 1  # the worker sees it at its next frame and ends
            self._ended = True
            if self._slot is not None:  # a picture of before the loss is no news after it
                self._slot = None
                self.dropped += 1
        worker.join(_CLOSE_S if self._closing.is_set() else 0)
        if worker.is_alive():
            self._hanging.append(worker)

    def _capture(self, generation: int) -> None:
        try:
            capture = self._open_capture()
            try:
                damaged = 0
                while self._deliver(generation, capture.read(), capture.damaged - damaged):
                    damaged = capture.damaged
            finally:
                capture.close()
            return  # superseded or closed
        except SourceError as reason:
            # "NAME: connection refused" -> "connection refused", "NAME ended the stream" -> "it ended the stream"
            error = re.sub(rf"^{re.escape(self.info.name)}(: |(?= ))", lambda m: "" if m[1] else "it", reason.message)
            advice = reason.hint
        except Exception as reason:  # a driver's own exception must not end the service; it is reported
            error, advice = f"{type(reason).__name__} in the capture", "the log at level debug has its traceback"
            log.debug("capture of %s failed", self.info.name, exc_info=reason)
        with self._changed:
            if generation == self._generation:
                self._ended = True
                self.last_error, self._advice = error, advice
                self._changed.notify_all()

    def _deliver(self, generation: int, picture: Picture, damaged: int) -> bool:
        """Put a frame into the slot; False once this generation has passed."""
        with self._changed:
            if generation != self._generation or self._closing.is_set():
                return False
            if self._slot is not None:
                self.dropped += 1
            self.skipped += damaged
            self._progress_s = time.monotonic()
            self._slot = (picture, self._captured, self._progress_s, time.time())
            self._captured += 1
            if not self._streaming:
                self._streaming = True
                if self.state == "lost" and self._captured > 1:  # not when it was merely absent at first
                    self.reconnects += 1
                self.state = "streaming"
                self.last_error, self._advice = None, _ADVICE
                log.info("%s is streaming", self.info.name)
            self._changed.notify_all()
        return True

    def _lose(self, reason: str) -> None:
        with self._changed:
            self.last_error = reason
            if self._closing.is_set() or self.state == "lost":
                return
            self.state = "lost"
        what, until = ("is lost", "is back") if self._captured else ("cannot be reached", "answers")
        log.warning("%s %s: %s; trying again until it %s (%s)", self.info.name, what, reason, until, self._advice)
