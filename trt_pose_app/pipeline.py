"""The loop: frames from a source through an estimator into sinks, each on a thread of its own."""

from __future__ import annotations

import logging
import queue
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import Any

from trt_pose_app.errors import SourceTimeoutError, TrtPoseError
from trt_pose_app.estimators.protocol import Estimator, Prepared
from trt_pose_app.metrics import Histogram
from trt_pose_app.scene_time import scene_time_s
from trt_pose_app.sinks.protocol import Sink
from trt_pose_app.sinks.worker import SinkWorker
from trt_pose_app.sources.protocol import Source
from trt_pose_app.track.one_euro import PoseSmoother
from trt_pose_app.track.tracker import Tracker
from trt_pose_app.types import Frame, Timings

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.25  # how often a quiet source lets the loop look at its stop event
DRAIN_S = 2.0  # what queued results get after a stop
PREFETCH = 3  # frames of a file read and prepared ahead of the network
STAGES = ("capture", "preprocess", "infer", "decode", "total")


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame on its way to the network."""

    frame: Frame
    prepared: Prepared
    capture_ms: float


@dataclass(frozen=True, slots=True)
class Stats:
    """A run so far. ``fps`` counts whole frames a second, ``engine_fps`` what the network alone could do,
    from its median time.

    ``stages`` has p50, p95, p99 and mean in ms per stage; ``sinks`` has emitted, dropped and error per sink, and what
    a sink counts itself. ``carried`` frames are those on which no network ran.
    """

    frames: int
    people: int
    seconds: float
    fps: float
    engine_fps: float
    dropped: int
    skipped: int
    carried: int
    source_state: str
    stages: Mapping[str, Mapping[str, float]]
    sinks: Mapping[str, Mapping[str, Any]]


class Pipeline:
    """Runs a source through an estimator into named sinks until the source ends, ``frames`` are done or ``stop()``.

    For a file nothing is dropped or reordered, and the next frames are read and prepared while the network works.
    For a live source the newest frame is taken when the network is free. A sink that fails is reported and left out;
    the run ends early only when none is left. Owns and closes the source and the sinks, not the estimator.

    With a ``tracker`` people have ids; a ``smoother``, which goes by them, calms keypoints for all sinks but those
    named in ``raw``. Both count as decoding in the timings.
    """

    def __init__(
        self,
        source: Source,
        estimator: Estimator,
        sinks: Sequence[tuple[str, Sink]],
        *,
        tracker: Tracker | None = None,
        smoother: PoseSmoother | None = None,
        raw: Collection[str] = (),
        frames: int | None = None,
        queue_size: int = 8,
    ) -> None:
        self._source = source
        self._estimator = estimator
        self._tracker = tracker
        self._smoother = smoother
        self._raw = raw
        self._limit = frames
        self._stop = Event()
        self._stopped_early = False
        self._histograms = {stage: Histogram() for stage in STAGES}
        self._frames = 0
        self._people = 0
        self._carried = 0
        self._started_s = monotonic()
        self._first_s = 0.0
        self._last_s = 0.0
        policy = "drop-oldest" if source.info.live else "block"
        self._workers = [SinkWorker(name, sink, policy, self._stop, queue_size) for name, sink in sinks]  # type: ignore[arg-type]

    def stop(self) -> None:
        """Ask for the end, from any thread or a signal handler. Returns at once."""
        self._stopped_early = True
        self._stop.set()

    def run(self) -> Stats:
        """Run to the end and return the final statistics. Raises SourceError, EngineError or DecodeError."""
        self._started_s = monotonic()
        try:
            for captured in self._captured():
                self._process(captured)
                if self._stop.is_set() or (self._limit is not None and self._frames >= self._limit):
                    break
                if self._workers and all(worker.error for worker in self._workers):
                    log.error("every sink has failed")
                    break
                if any(worker.stop_asked for worker in self._workers):
                    break
        finally:
            self._stop.set()
            self._source.close()
            drain_s = DRAIN_S if self._stopped_early or self._source.info.live else float("inf")
            for worker in self._workers:
                worker.interrupt(drain_s)
            for worker in self._workers:
                worker.finish(drain_s)
        return self.stats()

    def stats(self) -> Stats:
        """Return the statistics so far; may be called from any thread while running."""
        seconds = self._last_s - self._first_s
        infer_ms = self._histograms["infer"].summary()["p50"]
        return Stats(
            frames=self._frames,
            people=self._people,
            seconds=round(monotonic() - self._started_s, 3),
            # n frames have n - 1 intervals; the first one carries warm-up and opening.
            fps=round((self._frames - 1) / seconds, 2) if seconds > 0 else 0.0,
            engine_fps=round(1e3 / infer_ms, 2) if infer_ms else 0.0,
            dropped=self._source.dropped,
            skipped=self._source.skipped,
            carried=self._carried,
            source_state=getattr(self._source, "state", "reading"),
            stages={stage: histogram.summary() for stage, histogram in self._histograms.items()},
            sinks={worker.name: worker.stats for worker in self._workers},
        )

    @property
    def errors(self) -> Sequence[TrtPoseError]:
        """The errors of the sinks that have failed."""
        return [worker.error for worker in self._workers if worker.error]

    def _process(self, captured: Captured) -> None:
        frame, prepared = captured.frame, captured.prepared
        start = perf_counter()
        maps = self._estimator.infer(prepared)
        inferred = perf_counter()
        found = poses = self._estimator.decode(maps, prepared)
        time_s = scene_time_s(frame, live=self._source.info.live, fps=self._source.info.fps)
        if self._tracker is not None:
            found = poses = self._tracker.update(poses, time_s, (frame.width, frame.height))
        if self._smoother is not None:
            poses = self._smoother.update(found, time_s)
        decoded = perf_counter()
        infer_ms, decode_ms = (inferred - start) * 1e3, (decoded - inferred) * 1e3
        carried = not maps
        if carried:  # no network ran, and its times are to stay the network's
            infer_ms, decode_ms = 0.0, infer_ms + decode_ms
        if self._source.info.live:
            total_ms = (monotonic() - frame.captured_s) * 1e3
        else:  # a file's frames are read ahead, and how long they lay there says nothing
            total_ms = captured.capture_ms + prepared.preprocess_ms + infer_ms + decode_ms
        timings = Timings(
            capture_ms=captured.capture_ms,
            preprocess_ms=prepared.preprocess_ms,
            infer_ms=infer_ms,
            decode_ms=decode_ms,
            total_ms=total_ms,
            seq=self._frames,
            dropped=self._source.dropped,
            carried=carried,
        )
        for worker in self._workers:
            worker.put(frame, found if worker.name in self._raw else poses, timings)
        self._last_s = monotonic()
        if not self._frames:
            self._first_s = self._last_s
        self._frames += 1
        self._people += len(poses)
        self._carried += carried
        for stage, histogram in self._histograms.items():
            if not (carried and stage == "infer"):
                histogram.add(getattr(timings, f"{stage}_ms"))

    def _captured(self) -> Iterator[Captured]:
        return self._newest() if self._source.info.live else self._prefetched()

    def _newest(self) -> Iterator[Captured]:
        while not self._stop.is_set():
            try:
                frame = self._source.read(READ_TIMEOUT_S)
            except SourceTimeoutError:  # the source itself reconnects and logs; here the stop event is looked at
                if any(worker.stop_asked for worker in self._workers):
                    return
                continue
            if frame is None:
                return
            waited_ms = (monotonic() - frame.captured_s) * 1e3
            yield Captured(frame, self._estimator.prepare(frame), waited_ms)

    def _prefetched(self) -> Iterator[Captured]:
        ahead: queue.Queue[Captured | Exception | None] = queue.Queue(PREFETCH)
        reader = Thread(target=self._read_ahead, args=(ahead,), name="reader", daemon=True)
        reader.start()
        try:
            while not self._stop.is_set():
                try:
                    item = ahead.get(timeout=READ_TIMEOUT_S)
                except queue.Empty:  # a slow disk; a stop is not to wait for it
                    continue
                if item is None:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._stop.set()
            deadline_s = monotonic() + DRAIN_S
            while reader.is_alive() and monotonic() < deadline_s:  # it may be waiting for room
                with suppress(queue.Empty):
                    ahead.get(timeout=0.05)

    def _read_ahead(self, ahead: queue.Queue[Captured | Exception | None]) -> None:
        try:
            while not self._stop.is_set():
                start = perf_counter()
                frame = self._source.read(READ_TIMEOUT_S)
                capture_ms = (perf_counter() - start) * 1e3
                if frame is None:
                    break
                ahead.put(Captured(frame, self._estimator.prepare(frame), capture_ms))
            ahead.put(None)
        except Exception as error:  # noqa: BLE001 - the loop waits for this thread, and raises it there
            ahead.put(error)
