"""``trt-pose eval DATA``: how good a model is, through the same path that ``run`` takes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from trt_pose_app.cli.options import configure, open_model, run_options
from trt_pose_app.cli.status import counted
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import find_models
from trt_pose_app.evaluation.coco_ap import check_pycocotools
from trt_pose_app.evaluation.pck import PckProtocol
from trt_pose_app.evaluation.photo_files import photo_paths
from trt_pose_app.evaluation.predictor import frame_latency_ms, predict
from trt_pose_app.evaluation.results import at_least, read_results, write_results, write_text
from trt_pose_app.evaluation.study import Run, study
from trt_pose_app.evaluation.truth import Truth, read_truth
from trt_pose_app.models.store import default_search


@click.command(name="eval")
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@click.option("--images", type=click.Path(path_type=Path), help="The photos' folder; default: near the annotations.")
@click.option("--annotations", type=click.Path(path_type=Path), help="COCO.json, where DATA is the photos' folder.")
@click.option("--category", help="Category to evaluate, where several have keypoints.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N photos only.")
@click.option("--model", "models", multiple=True, metavar="NAME|FILE", help="Model to measure; repeat to compare.")
@run_options
@click.option("--results", type=click.Path(path_type=Path), multiple=True, help="COCO results to measure; no model.")
@click.option("--compare", type=click.Path(path_type=Path), multiple=True, help="COCO results to compare with.")
@click.option("--peak-thresholds", metavar="A,B,...", help="Also try these; the network still runs once.")
@click.option("--true-boxes", is_flag=True, help="Give top-down models the annotated boxes, not a detector's.")
@click.option("--pck-people", type=click.Choice(["main", "all"]), help="Default: main where notes name a source.")
@click.option("--pck-keypoints", type=click.Choice(["sure", "labelled"]), help="v = 2, or v > 0. Default: likewise.")
@click.option("--draws", type=click.IntRange(0), default=1000, show_default=True, help="Bootstrap draws; 0: none.")
@click.option("--worst", type=click.IntRange(0), default=12, show_default=True, help="Pictures in the report.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder: results, metrics.json, report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON on stdout.")
def command(
    data: Path,
    images: Path | None,
    annotations: Path | None,
    category: str | None,
    limit: int | None,
    models: tuple[str, ...],
    results: tuple[Path, ...],
    compare: tuple[Path, ...],
    peak_thresholds: str | None,
    true_boxes: bool,
    pck_people: str | None,
    pck_keypoints: str | None,
    draws: int,
    worst: int,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure models on DATA, a COCO keypoint annotation file with its photos.

    COCO AP and AR, PCK@0.2 of the torso with 95 % intervals, people found where nobody is, milliseconds, kinds of
    error, and what other thresholds would give. Several models, or --compare with the results of an earlier
    evaluation, are compared with the first on the same photos.
    """
    config = configure(options)
    check_pycocotools()
    data, images = _data_and_images(data, images, annotations)
    with _told_when_interrupted():
        truth = read_truth(data, category=category, limit=limit)
        names = models or (() if results else (config.model.name,))
        peaks = _thresholds(peak_thresholds)
        if true_boxes and peaks:
            raise ConfigError("--peak-thresholds and --true-boxes do not go together", hint="leave one of them out")
        if config.model.spec is not None and len(names) > 1:
            raise ConfigError(
                "--spec describes one model, and there are several", hint="put each spec beside its network"
            )
        # Results that were made elsewhere can be measured without the photos; then the report shows none.
        paths = photo_paths(truth, images) if names or images is not None else {}
        from_files = [Run(_name_of(path), read_results(path, truth)) for path in (*results, *compare)]
        runs = from_files[: len(results)]
        for name in names:
            one = config.model_copy(update={"model": config.model.model_copy(update={"name": name})})
            runs.append(_run_model(one, truth, paths, peaks, true_boxes=true_boxes))
        runs = _with_distinct_names([*runs, *from_files[len(results) :]])
        document, evaluations = study(truth, runs, protocol=_protocol(truth, pck_people, pck_keypoints), n_draws=draws)
    if output is not None:
        from trt_pose_app.evaluation.report import Pictures, report_html

        for run in runs:
            if run.latency_ms is not None:
                several = f"-{_file_part(run.name)}" if len(runs) > 1 else ""
                write_results(output / f"results{several}.json", run.results)
        write_text(output / "metrics.json", json.dumps(document, indent=1))
        shown = Pictures(paths, worst) if paths else None
        write_text(output / "report.html", report_html(truth, document, evaluations, shown))
    if as_json:
        click.echo(json.dumps(document))
    else:
        _show(document)
        if output is not None:
            click.echo(f"wrote {output / 'report.html'}", err=True)


@contextmanager
def _told_when_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted, nothing written", err=True)
        raise


def _data_and_images(data: Path, images: Path | None, annotations: Path | None) -> tuple[Path, Path | None]:
    """Return the annotation file and the photos' folder, whichever of them DATA is."""
    if data.is_dir():
        if annotations is None:
            raise ConfigError(f"{data} is a folder", hint="add --annotations FILE.json, or give that file as DATA")
        return annotations, images or data
    if annotations is not None:
        raise ConfigError(
            f"{data} is no folder, and --annotations names {annotations}", hint="give one annotation file, and --images"
        )
    return data, images


def _protocol(truth: Truth, people: str | None, keypoints: str | None) -> PckProtocol:
    protocol = PckProtocol.fitting(truth)
    if people is not None:
        protocol = replace(protocol, main_only=people == "main")
    if keypoints is not None:
        protocol = replace(protocol, least_visibility=2 if keypoints == "sure" else 1)
    return protocol


def _name_of(results: Path) -> str:
    # An earlier evaluation's folder says more than the name it gave its file.
    folder = results.absolute().parent.name
    return folder if results.name == "results.json" and folder else results.stem


def _with_distinct_names(runs: Sequence[Run]) -> list[Run]:
    times = Counter(run.name for run in runs)
    numbers: Counter[str] = Counter()
    distinct = []
    for run in runs:
        numbers[run.name] += 1
        distinct.append(replace(run, name=f"{run.name} #{numbers[run.name]}") if times[run.name] > 1 else run)
    return distinct


def _file_part(name: str) -> str:
    return re.sub(r"[\s#]+", "-", name)


def _thresholds(text: str | None) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        values = [-1.0]
    if any(not 0 <= value <= 1 for value in values):
        raise ConfigError(f"--peak-thresholds {text}: not numbers from 0 to 1", hint="such as 0.05,0.1,0.2")
    return values


def _run_model(
    config: Config, truth: Truth, paths: Mapping[int, Path], peaks: Sequence[float], *, true_boxes: bool
) -> Run:
    chosen = config.model
    models = find_models(chosen.name, chosen, default_search(os.environ))
    name, spec = models.label, models.pose.spec
    threshold = spec.decode.min_person_score if chosen.min_person_score is None else chosen.min_person_score
    if true_boxes:
        name, threshold = f"{name} on true boxes", 0.0
    # Decoders drop weak people last of all, so one run at threshold 0 gives the results of every threshold.
    changes: list[dict[str, float]] = [{}, *({"peak_threshold": peak} for peak in peaks)]
    with ExitStack() as opened:
        estimator, *others = [
            opened.enter_context(
                open_model(
                    config.model_copy(update={"model": chosen.model_copy(update={"min_person_score": 0.0, **change})})
                )[1]
            )
            for change in changes
        ]
        with _progress(name, len(truth.photos)) as advance:
            made = predict(estimator, truth, paths, advance, others=others, true_boxes=true_boxes)
        fullest = max(truth.photos, key=lambda photo: len(photo.xy))
        best, median = frame_latency_ms(estimator, paths[fullest.id])
    times = sorted(made.photo_ms)
    return Run(
        name,
        at_least(made.results, threshold),
        made.results,
        {peak: at_least(results, threshold) for peak, results in zip(peaks, made.others)},
        {
            "photo_median": times[len(times) // 2],
            "photo_p95": times[int(0.95 * (len(times) - 1))],
            "frame_best": best,
            "frame_median": median,
        },
        {
            "input_size": chosen.input_size or f"{spec.input.height}x{spec.input.width}",
            "threads": chosen.threads,
            "backend": chosen.backend,
            "min_person_score": threshold,
            "peak_threshold": chosen.peak_threshold,
        },
    )


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=total)
        yield lambda: progress.advance(task)


def _show(document: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    # A pipe has no width: there nothing should be folded.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 40 + 40 * len(document["models"]))
    data, models = document["data"], document["models"]
    click.echo(
        f"{data['annotations']}: {counted(data['photos'], 'photo')}, {counted(data['people'], 'person', 'people')}, "
        f"{counted(data['empty_photos'], 'photo')} without anyone; OKS constants {data['sigmas']}"
    )
    table = Table("", *(model["name"] for model in models))
    for row in models[0]["coco"]:
        table.add_row(
            row, *(_number(m["coco"][row]) + (_bracket(m["ap_interval"]) if row == "AP" else "") for m in models)
        )
    table.add_section()
    for name in (key for key in models[0]["pck"] if key != "people"):
        shares = [model["pck"][name] for model in models]
        table.add_row(f"PCK {name}", *(_number(s["pck"]) + _bracket(s["interval"]) for s in shares))
    table.add_section()
    if data["empty_photos"]:
        table.add_row("false people", *(str(model["false_people"]) for model in models))
    errors = [model["errors"] for model in models]
    table.add_row("people found", *(f"{e['found']} of {e['people']}" for e in errors))
    for kind in (key for key in errors[0]["joints"]["all"] if key != "keypoints"):
        shares = [e["joints"]["all"][kind] for e in errors]
        table.add_row(kind, *("-" if share is None else f"{share:.1%}" for share in shares))
    table.add_section()
    for rows in zip(*(model["peak_sweep"] for model in models)):
        peak = rows[0]["peak_threshold"]
        table.add_row(
            f"peaks {peak:g}: AP, PCK, false",
            *(f"{_number(r['AP'])} {_number(r['pck'])} {r['false_people']}" for r in rows),
        )
    table.add_section()
    for row, label in (
        ("photo_median", "photo, ms median"),
        ("frame_best", "640x480, ms best"),
        ("frame_median", "640x480, ms median"),
    ):
        latencies = [model["latency_ms"] for model in models]
        table.add_row(label, *(f"{latency[row]:.1f}" if latency else "-" for latency in latencies))
    console.print(table)
    for comparison in document["comparisons"]:
        ap, pck = comparison["AP"], comparison["pck"]["all"]
        click.echo(f"{comparison['second']} less {comparison['first']}: AP {_signed(ap)}, PCK {_signed(pck)}")


def _signed(row: Mapping[str, Any]) -> str:
    return "-" if row["difference"] is None else f"{row['difference']:+.3f}{_bracket(row['interval'])}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _bracket(interval: Sequence[float] | None) -> str:
    return f" ({interval[0]:.3f}, {interval[1]:.3f})" if interval is not None else ""
