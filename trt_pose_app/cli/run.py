"""``trt-pose run SOURCE [SINK ...]``."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from trt_pose_app.cli.options import configure, gap_options, model_options, open_model, track_options
from trt_pose_app.cli.status import StatusLine, summary_lines
from trt_pose_app.cli.stopper import Stopper
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError, TrtPoseError
from trt_pose_app.estimators import Estimator, Models
from trt_pose_app.message import RunInfo, boot_id
from trt_pose_app.pipeline import Pipeline
from trt_pose_app.sinks import check_sinks, open_sink, sink_kind
from trt_pose_app.sinks.protocol import Sink
from trt_pose_app.sources import open_source
from trt_pose_app.sources.protocol import Source
from trt_pose_app.sources.uri import redact
from trt_pose_app.track.one_euro import PoseSmoother
from trt_pose_app.track.tracker import Tracker

log = logging.getLogger(__name__)


@click.command(name="run")
@click.argument("source", required=False)
@click.argument("sinks", nargs=-1)
@track_options
@gap_options
@model_options
@click.option("--device", "device__id", metavar="NAME", help="Device name in messages; default: the host name.")
@click.option("--camera", "device__camera", metavar="NAME", help="Camera name in messages.")
@click.option("--frames", type=click.IntRange(1), help="Stop after so many frames.")
@click.option("--json", "as_json", is_flag=True, help="Print the final statistics as JSON on stdout.")
def command(source: str | None, sinks: tuple[str, ...], frames: int | None, as_json: bool, **options: Any) -> int:
    """Run SOURCE through a model into every SINK until it ends or you stop it with Ctrl-C.

    \b
    SOURCE  csi://0  /dev/video0  rtsp://...  video.mp4  picture.jpg  folder/  'glob*.jpg'  synthetic://people?n=3
    SINK    out.mp4  out.jsonl  out.csv  out.jpg  folder/  display://  mqtt://host  null://  -  (JSON lines on stdout)

    Without a SINK the people are found and counted only.

    Ctrl-C, SIGTERM and SIGHUP end the run in order: files are complete, and the exit code is 0 (1 if a sink failed).
    A second signal ends it at once with 128 + its number.
    """
    extra: dict[str, tuple[str, object]] = {}
    if source is not None:
        extra["source__uri"] = ("SOURCE", source)
    if sinks:
        extra["sinks"] = ("SINK", list(sinks))
    config = configure(options, **extra)
    if config.source.uri is None:
        raise ConfigError("no source given", hint="trt-pose run SOURCE [SINK ...], or set source.uri in --config")
    if as_json and "-" in config.sinks:
        raise ConfigError("--json and the sink - both write to stdout", hint="send the JSON lines to a file")
    check_sinks(config.sinks)  # before the model takes its seconds to load
    stopper = Stopper()
    models, estimator = open_model(config, gaps=True)
    with estimator:
        opened = open_source(config.source.uri, config.source)
        try:
            opened_sinks = open_sinks(config, run_info(config, models, estimator, opened))
        except TrtPoseError:
            opened.close()
            raise
        kinds = {redact(uri): sink_kind(uri) for uri in config.sinks}
        pipeline = Pipeline(opened, estimator, opened_sinks, frames=frames, **following(config, kinds))
        stopper.attach(pipeline)
        where = redact(config.source.uri)
        log.info("%s -> %s on %s -> %s", where, models.label, estimator.engine.backend, _names(config))
        with StatusLine(pipeline):
            stats = pipeline.run()
    if as_json:
        click.echo(json.dumps({**asdict(stats), "interrupted": stopper.asked}))
    else:
        for line in summary_lines(stats, interrupted=stopper.asked):
            click.echo(line, err=True)
    return 1 if pipeline.errors else 0


def run_info(config: Config, models: Models, estimator: Estimator, source: Source) -> RunInfo:
    """Return what every message of this run says."""
    return RunInfo(
        device=config.device.id or socket.gethostname(),
        camera=config.device.camera,
        source=source.info.name,
        boot_id=boot_id(),
        model=models.label,
        skeleton=estimator.skeleton,
        backend=estimator.engine.backend,
        live=source.info.live,
        fps=source.info.fps,
    )


def following(config: Config, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return what the pipeline follows and calms people with, as far as that is wanted; ``kinds``: sink -> kind."""
    track, smooth = config.track, config.smooth
    return {
        "tracker": Tracker(track) if track.enabled or smooth.enabled else None,
        "smoother": PoseSmoother(smooth) if smooth.enabled else None,
        "raw": {name for name, kind in kinds.items() if kind in smooth.raw_sinks},
    }


def open_sinks(config: Config, run: RunInfo) -> list[tuple[str, Sink]]:
    """Open every configured sink, or none: if one fails, those already open are closed."""
    opened: list[tuple[str, Sink]] = []
    try:
        for uri in config.sinks:
            opened.append((redact(uri), open_sink(uri, run, config)))
    except TrtPoseError:
        for _, sink in opened:
            sink.close()
        raise
    return opened


def _names(config: Config) -> str:
    return ", ".join(redact(uri) for uri in config.sinks) or "nowhere (no sink given)"
