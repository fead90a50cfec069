"""``trt-pose bench``: where the time goes."""

from __future__ import annotations

import json
import os
import platform
from time import perf_counter
from typing import Any

import click

from trt_pose_app.cli.options import configure, model_options, open_model
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import Estimator
from trt_pose_app.metrics import Histogram
from trt_pose_app.pipeline import STAGES, Pipeline
from trt_pose_app.sinks.null import NullSink
from trt_pose_app.sources import open_source
from trt_pose_app.types import Frame

WARM_UP = 10


@click.command(name="bench")
@click.argument("source", default="synthetic://people?n=3&width=1280&height=720")
@model_options
@click.option("--frames", type=click.IntRange(2), default=200, show_default=True, help="Frames to measure.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON on stdout.")
def command(source: str, frames: int, as_json: bool, **options: Any) -> None:
    """Measure the engine alone, then the whole pipeline on SOURCE into nothing.

    Both rates are shown side by side: what a network can do, and what you get with capture, resize and decoding.
    """
    config = configure(options, source__uri=("SOURCE", source))
    models, estimator = open_model(config)
    with estimator:
        with open_source(source, config.source) as first:
            frame = first.read(10.0)
        if frame is None:
            raise ConfigError(f"{source} has no frames", hint="give a video, a camera or synthetic://people")
        # Half before and half after: on a busy machine both rates should see the same weather.
        alone = Histogram()
        _engine_alone(estimator, frame, frames // 2, alone)
        stats = Pipeline(open_source(source, config.source), estimator, [("null://", NullSink())], frames=frames).run()
        _engine_alone(estimator, frame, frames - frames // 2, alone)
        width, height = estimator.prepare(frame).geometry.input_size
    report = {
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "model": models.label,
        "backend": estimator.engine.backend,
        "input": f"{width}x{height}",
        "source": f"{source} ({frame.width}x{frame.height})",
        "frames": stats.frames,
        "engine_fps": round(1e3 / alone.quantile(0.5), 2),
        "end_to_end_fps": stats.fps,
        "engine_ms": alone.summary(),
        "stages_ms": stats.stages,
        "dropped": stats.dropped,
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        _show(report)


def _engine_alone(estimator: Estimator, frame: Frame, runs: int, histogram: Histogram) -> None:
    prepared = estimator.prepare(frame)
    for run in range(WARM_UP + runs):
        start = perf_counter()
        estimator.infer(prepared)
        if run >= WARM_UP:
            histogram.add((perf_counter() - start) * 1e3)


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for key in ("machine", "model", "backend", "input", "source"):
        console.print(f"{key:8} {report[key]}", highlight=False)
    table = Table("stage", "p50 ms", "p95 ms", "p99 ms", title=f"{report['frames']} frames")
    rows = {"engine alone": report["engine_ms"], **{stage: report["stages_ms"][stage] for stage in STAGES}}
    for name, row in rows.items():
        table.add_row(name, *(f"{row[q]:.2f}" for q in ("p50", "p95", "p99")))
    console.print(table)
    console.print(
        f"engine {report['engine_fps']:.1f} fps   end to end {report['end_to_end_fps']:.1f} fps", highlight=False
    )
