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


def summary_lines(stats: Stats, *, interrupted: bool) -> Iterator[str]:
    """Yield the end-of-run summary: both rates side by side, stages, and what each sink got."""
    ended = "interrupted after " if interrupted else ""
    yield f"{ended}{counted(stats.frames, 'frame')}, {counted(stats.people, 'person', 'people')}, {stats.seconds:.1f} s"
    if stats.frames > 1:
        rested = f", run on {stats.frames - stats.carried} of {stats.frames} frames" if stats.carried else ""
        yield f"end to end {stats.fps:.1f} fps, engine alone {stats.engine_fps:.1f} fps{rested}"
    if stats.dropped:
        yield f"{counted(stats.dropped, 'frame')} dropped by the live source"
    if stats.skipped:
        yield f"{counted(stats.skipped, 'damaged frame')} skipped"
    for name, sink in stats.sinks.items():
        failed = "  FAILED, see above" if sink["error"] else ""
        yield f"  {name}: {counted(sink['emitted'], 'frame')}, {sink['dropped']} dropped{failed}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
