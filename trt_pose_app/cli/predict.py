"""``trt-pose predict PATH ... -o FILE``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from typing import Any

import click

from trt_pose_app.cli.options import configure, gap_options, model_options, open_model, track_options
from trt_pose_app.cli.run import following, run_info
from trt_pose_app.cli.status import counted
from trt_pose_app.cli.stopper import Stopper
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError
from trt_pose_app.message import RunInfo
from trt_pose_app.pipeline import Pipeline
from trt_pose_app.sinks import check_sinks, open_sink
from trt_pose_app.sinks.coco import CocoSink, read_image_ids
from trt_pose_app.sinks.openpose import OpenPoseSink
from trt_pose_app.sinks.protocol import Sink
from trt_pose_app.sources import open_source
from trt_pose_app.sources.chain import ChainSource

_SUFFIXES = {".json": "coco", ".jsonl": "jsonl", ".csv": "csv"}


@click.command(name="predict")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-o", "--output", default="-", show_default=True, help="Results file or folder; - is stdout.")
@click.option(
    "--format", "form", type=click.Choice(["coco", "jsonl", "csv", "openpose"]), help="Default: by the name of -o."
)
@click.option("--annotations", type=click.Path(path_type=Path), help="COCO.json that gives each file name its id.")
@click.option("--draw", type=click.Path(path_type=Path), help="Also write annotated pictures into this folder.")
@track_options
@gap_options
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print the final statistics as JSON on stdout.")
def command(
    paths: tuple[str, ...],
    output: str,
    form: str | None,
    annotations: Path | None,
    draw: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Find the people in pictures, folders, globs or videos, and write one results file.

    Ctrl-C keeps the results of the pictures done so far and exits with 130.
    """
    config = configure(options)
    if as_json and output == "-":
        raise ConfigError("--json and -o - both write to stdout", hint="name a results file with -o")
    form = form or _format_of(output)
    if draw is not None:
        check_sinks([f"{draw}/"])
    stopper = Stopper()
    sources = ChainSource([open_source(path, config.source) for path in paths])
    models, estimator = open_model(config, gaps=True)
    with estimator:
        run = run_info(config, models, estimator, sources)
        sinks = [(output, _results_sink(output, form, annotations, run, config))]
        if draw is not None:
            sinks.append((str(draw), open_sink(f"{draw}/", run, config)))
        kinds = {output: "stdout" if output == "-" else form, str(draw): "images"}
        pipeline = Pipeline(sources, estimator, sinks, **following(config, kinds))
        stopper.attach(pipeline)
        with _Progress(pipeline, sources.info.frames):
            stats = pipeline.run()
    if as_json:
        click.echo(json.dumps({**asdict(stats), "interrupted": stopper.asked}))
    skipped = f", {stats.skipped} damaged skipped" if stats.skipped else ""
    of_all = f" of {sources.info.frames}" if stopper.asked and sources.info.frames else ""
    click.echo(
        f"{'interrupted after ' if stopper.asked else ''}{counted(stats.frames, 'picture')}{of_all}, "
        f"{counted(stats.people, 'person', 'people')}, {stats.seconds:.1f} s{skipped}",
        err=True,
    )
    if pipeline.errors:
        return 1
    return 130 if stopper.asked else 0


def _format_of(output: str) -> str:
    if output == "-":
        return "jsonl"
    form = _SUFFIXES.get(Path(output).suffix.lower(), "openpose" if output.endswith("/") else None)
    if form is None:
        raise ConfigError(
            f"the name {output} does not tell its format", hint="add --format coco, jsonl, csv or openpose"
        )
    return form


def _results_sink(output: str, form: str, annotations: Path | None, run: RunInfo, config: Config) -> Sink:
    if form in ("coco", "openpose") and output == "-":
        raise ConfigError(f"--format {form} needs a file or folder", hint="name it with -o")
    if form == "coco":
        return CocoSink(Path(output), run.skeleton, read_image_ids(annotations) if annotations else None)
    if form == "openpose":
        return OpenPoseSink(Path(output), run.skeleton)
    if output != "-" and Path(output).suffix.lower() != f".{form}":
        raise ConfigError(f"{output} does not end in .{form}", hint=f"rename it, or leave out --format {form}")
    return open_sink(output, run, config)


class _Progress:
    """A progress bar on a terminal; nothing in a pipe."""

    def __init__(self, pipeline: Pipeline, total: int | None) -> None:
        self._pipeline = pipeline
        self._total = total
        self._ended = Event()
        self._thread = Thread(target=self._show, name="progress", daemon=True)

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("pictures", total=self._total)
            while not self._ended.wait(0.1):
                stats = self._pipeline.stats()
                progress.update(task, completed=stats.frames, description=f"{stats.fps:.1f} pictures/s")
