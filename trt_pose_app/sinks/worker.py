"""One thread and one bounded queue per sink, so that no sink can hold up the loop or another sink."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from threading import Condition, Event, Thread
from time import monotonic
from typing import Any, Literal

from trt_pose_app.errors import SinkError, TrtPoseError
from trt_pose_app.sinks.protocol import Sink, StopRun
from trt_pose_app.types import Frame, Poses, Timings

log = logging.getLogger(__name__)

STOP_CHECK_S = 0.1  # a signal handler sets the stop event and must not take locks, so waiting ends by looking

Item = tuple[Frame, Poses, Timings]


class SinkWorker:
    """Feeds one sink from a queue of ``size`` results.

    A full queue blocks the caller (``policy="block"``, files: nothing may be lost) or loses its oldest entry
    (``"drop-oldest"``, live: the newest counts). ``error`` is set once the sink has failed; from then on results are
    discarded and counted as ``dropped``. ``stop_asked`` is set when the sink's user asked for the end. Once ``stop``
    is set no ``put`` waits any more.
    """

    def __init__(
        self, name: str, sink: Sink, policy: Literal["block", "drop-oldest"], stop: Event, size: int = 8
    ) -> None:
        self.name = name
        self.emitted = 0
        self.dropped = 0
        self.error: TrtPoseError | None = None
        self.stop_asked = False
        self._sink = sink
        self._policy = policy
        self._stop = stop
        self._size = size
        self._queue: deque[Item] = deque()
        self._changed = Condition()
        self._finishing = False
        self._deadline = float("inf")
        self._thread = Thread(target=self._work, name=f"sink {name}", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> Mapping[str, Any]:
        """What this sink got and lost, with the sink's own counters if it keeps any (``stats()``)."""
        own = self._sink.stats() if hasattr(self._sink, "stats") else {}
        dropped = self.dropped + own.get("dropped", 0)
        return {"emitted": self.emitted, **own, "dropped": dropped, "error": str(self.error) if self.error else None}

    def put(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        """Queue one result for the sink."""
        with self._changed:
            while len(self._queue) >= self._size and self._alive():
                if self._policy == "drop-oldest":
                    self._queue.popleft()
                    self.dropped += 1
                elif self._stop.is_set():  # the last result of the run: one more than ``size`` does no harm
                    break
                else:
                    self._changed.wait(STOP_CHECK_S)
            if self._alive():
                self._queue.append((frame, poses, timings))
                self._changed.notify_all()
            else:
                self.dropped += 1

    def interrupt(self, drain_s: float) -> None:
        """Ask for the end: queued results are still written for ``drain_s`` seconds, a blocked ``put`` returns."""
        with self._changed:
            self._finishing = True
            self._deadline = min(self._deadline, monotonic() + drain_s)
            self._changed.notify_all()

    def finish(self, drain_s: float = float("inf")) -> None:
        """Write what is queued (for ``drain_s`` seconds at most), close the sink and wait for that."""
        self.interrupt(drain_s)
        # A sink that waits for a far end (a broker that is down) outlives its deadline: closing it ends the wait.
        self._thread.join(max(0.0, drain_s) + 1.0 if drain_s != float("inf") else None)
        if self._thread.is_alive():
            log.warning("sink %s is still busy; closing it", self.name)
            self._close()
            self._thread.join(10.0)
            if self._thread.is_alive():
                log.error("sink %s does not end; it is abandoned", self.name)

    def _alive(self) -> bool:
        return self.error is None and not self.stop_asked and not self._finishing

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._sink.emit(*item)
                self.emitted += 1
        except StopRun:
            self.stop_asked = True
        except TrtPoseError as error:
            self._fail(error)
        except Exception as error:
            log.exception("a bug in sink %s", self.name)
            hint = "please report this with the traceback from the log"
            self._fail(SinkError(f"unexpected {type(error).__name__}: {error}", hint=hint))
        self._close()
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()
            self._changed.notify_all()

    def _next(self) -> Item | None:
        with self._changed:
            while not self._queue and not self._finishing:
                self._changed.wait()
            if not self._queue or monotonic() > self._deadline:
                return None
            item = self._queue.popleft()
            self._changed.notify_all()
            return item

    def _close(self) -> None:
        try:
            self._sink.close()
        except TrtPoseError as error:
            self._fail(error)

    def _fail(self, error: TrtPoseError) -> None:
        if self.error is None:
            self.error = error
            log.error("sink %s failed: %s", self.name, error)
