"""The live line of ``trt-pose run`` and the summary at its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Event, Thread
from types import TracebackType

from trt_pose_app.pipeline import Pipeline, Stats

REFRESH_S = 0.25


class StatusLine:
    """Shows fps, people, latency and drops on one line of stderr during a run; nothing where that is no terminal."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._ended = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._thread = Thread(target=self._show, name="status line", daemon=True)
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        last_frames, last_people, last_seconds = 0, 0, 0.0
        with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
            while not self._ended.wait(REFRESH_S):
                stats = self._pipeline.stats()
                frames, people = stats.frames - last_frames, stats.people - last_people
                fps = frames / max(1e-6, stats.seconds - last_seconds)
                if stats.seconds - last_seconds >= 1.0:  # rates over the last second or so
                    last_frames, last_people, last_seconds = stats.frames, stats.people, stats.seconds
                live.update(Text(status_line(stats, fps, people / frames if frames else 0.0)), refresh=True)


def status_line(stats: Stats, fps: float, people: float) -> str:
    """Return one line: state, frames, rate, people per frame, median latency, drops."""
    parts = [
        f"{stats.source_state}  frame {stats.frames}",
        f"{fps:.1f} fps",
        f"{people:.1f} people",
        f"{stats.stages['total']['p50']:.0f} ms latency",
        f"{stats.dropped} dropped",
    ]
    if stats.skipped:
        parts.append(f"{stats.skipped} damaged")
    parts += [f"{name} offline" for name, sink in stats.sinks.items() if sink.get("connected") is False]
    return "  |  ".join(parts)


def summary_lines(stats: Stats) -> Iterator[str]:
    """Yield the end-of-run summary: both rates side by side, stages, and what each sink got."""
    yield f"{stats.frames} frame{'s' * (stats.frames != 1)}, {stats.people} people, {stats.seconds:.1f} s"
    if stats.frames > 1:
        yield f"end to end {stats.fps:.1f} fps, engine alone {stats.engine_fps:.1f} fps"
    if stats.dropped or stats.skipped:
        yield f"{stats.dropped} frames dropped by the live source, {stats.skipped} damaged frames skipped"
    for name, sink in stats.sinks.items():
        failed = f"  FAILED: {sink['error']}" if sink["error"] else ""
        yield f"  {name}: {sink['emitted']} frames, {sink['dropped']} dropped{failed}"
