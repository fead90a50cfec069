"""Options that several verbs share, and how they become the configuration and an estimator."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trt_pose_app.cli.log import set_up_logging
from trt_pose_app.config.load import load_config
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import Estimator, Models, build, find_models
from trt_pose_app.estimators.gapped import Gapped
from trt_pose_app.models.store import default_search

F = TypeVar("F", bound=Callable[..., Any])

# option -> configuration field; click's parameter name is the field with "__" for "."
_OPTIONS = (
    click.option("--log-level", "log__level", type=click.Choice(["debug", "info", "warning", "error"])),
    click.option("--min-person-score", "model__min_person_score", type=float, help="Least score of a person, 0..1."),
    click.option("--detector-threshold", "model__detector_threshold", type=float, help="Least score of a box, 0..1."),
    click.option("--peak-threshold", "model__peak_threshold", type=float, help="Least confidence of a keypoint, 0..1."),
    click.option("--threads", "model__threads", type=int, help="Threads of the CPU engine; 0: one per core."),
    click.option("--backend", "model__backend", type=click.Choice(["auto", "cpu", "cuda", "tensorrt"])),
    click.option("--input-size", "model__input_size", metavar="H[xW]", help="Input size; H alone: width by aspect."),
    click.option("--spec", "model__spec", type=click.Path(path_type=Path), help="Spec of a network without one."),
    click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Any field, as in `config show`."),
    click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file, see `config init`."),
)
_MODEL = click.option(
    "--model",
    "model__name",
    metavar="NAME|FILE|DETECTOR+POSE",
    help="Model to run, see `trt-pose models list`; or lightweight, balanced, performance.",
)


_TRACK = (
    click.option("--smooth/--no-smooth", "smooth__enabled", default=None, help="Calm keypoints over time; gives ids."),
    click.option("--track/--no-track", "track__enabled", default=None, help="Give every person an id that stays."),
)


def track_options(command: F) -> F:
    """Add the options by which a verb follows people over time."""
    for option in _TRACK:
        command = option(command)
    return command


def model_options(command: F) -> F:
    """Add the options by which a verb chooses its configuration and model."""
    return run_options(_MODEL(command))


def run_options(command: F) -> F:
    """Add all of ``model_options`` but --model, for a verb that takes several."""
    for option in _OPTIONS:
        command = option(command)
    return command


def gap_options(command: F) -> F:
    """Add the options by which networks rest on some frames of a video."""
    gaps = (
        (
            "--detector-gap",
            "gap__detector_gap",
            "Of a detector+pose pair, run the detector on every M-th frame only.",
            "M",
        ),
        ("--inference-gap", "gap__inference_gap", "Run networks on every N-th frame; optical flow between.", "N"),
    )
    for name, field, text, metavar in gaps:
        command = click.option(name, field, type=int, metavar=metavar, help=text)(command)
    return command


def configure(options: dict[str, Any], **extra: tuple[str, object]) -> Config:
    """Return the configuration for a verb's options and set up logging.

    ``extra`` are further flags: field with "__" for "." -> (name for messages, value). Raises ConfigError.
    """
    file = options["config_file"] or os.environ.get("TRT_POSE_CONFIG")
    names = {parameter.name: parameter.opts[0] for parameter in click.get_current_context().command.params}
    flags = {
        name.replace("__", "."): (names[name], value)
        for name, value in options.items()
        if "__" in name and value is not None
    }
    flags |= {name.replace("__", "."): flag for name, flag in extra.items()}
    loaded = load_config(file=Path(file) if file else None, env=os.environ, sets=options["sets"], flags=flags)
    set_up_logging(loaded.config.log.level, loaded.config.log.format)
    return loaded.config


def open_model(config: Config, *, gaps: bool = False) -> tuple[Models, Estimator]:
    """Return the configured model or pair, and a ready estimator.

    All checksums are verified first. With ``gaps`` the networks rest on frames as ``config.gap`` says; the estimator
    then serves one source.
    """
    models = find_models(config.model.name, config.model, default_search(os.environ))
    models.verify()
    native = False if os.environ.get("TRT_POSE_NATIVE") == "0" else None
    estimator = build(models, config.model, native=native)
    if not gaps or config.gap.inference_gap == config.gap.detector_gap == 1:
        return models, estimator
    try:
        return models, Gapped(estimator, params=config.gap)
    except ConfigError:
        estimator.close()
        raise
