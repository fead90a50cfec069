"""``trt-pose train``: train a network from a recipe, check a recipe's data, export the result."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trt_pose_app.cli.log import set_up_logging
from trt_pose_app.cli.status import counted
from trt_pose_app.errors import DependencyError

if TYPE_CHECKING:
    from trt_pose_app.training.coco import KeypointData, TrainingData
    from trt_pose_app.training.recipe import Recipe


@click.command(name="train")
@click.argument("recipe_file", metavar="RECIPE", type=click.Path(path_type=Path))
@click.option("--set", "sets", multiple=True, metavar="TABLE.FIELD=VALUE", help="Lay a value over the recipe's.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="Run folder; default runs/NAME.")
@click.option("--check", is_flag=True, help="Only list every flaw of the recipe's data; exit 1 if any.")
@click.option("--export", type=click.Path(path_type=Path), help="Only write the run's network as FILE.onnx.")
def command(recipe_file: Path, sets: tuple[str, ...], folder: Path | None, check: bool, export: Path | None) -> int:
    """Train a network as RECIPE says. The same command continues an interrupted run.

    Ctrl-C or SIGTERM ends after the present step with a checkpoint; a kill loses the steps since the last one.
    """
    set_up_logging("info", "text")
    from trt_pose_app.training.coco import read_coco, read_training_data
    from trt_pose_app.training.recipe import read_recipe

    recipe = read_recipe(recipe_file, sets)
    folder = folder or Path("runs") / recipe.name
    if check:
        return 1 if _check(read_training_data(recipe.data)) else 0
    try:
        import torch  # noqa: F401  # the one place that explains a missing extra
    except ImportError as error:
        raise DependencyError("training needs torch", hint="pip install 'trt-pose-app[train]'") from error
    if export:
        from trt_pose_app.training.export import export_onnx

        export_onnx(folder, export)
        click.echo(export)
        return 0
    source, validation = recipe.data, None
    if source.validation_annotations and source.validation_images:
        validation = read_coco(
            source.validation_annotations, source.validation_images, category=source.category, skeleton=source.skeleton
        )
    _train(recipe, read_training_data(source), validation, folder)
    return 0


def _check(data: TrainingData) -> int:
    from trt_pose_app.training.check import unreadable

    found = 0
    for one in (data.main, *(more for more, _ in data.more)):
        flaws = [*one.flaws, *unreadable(one.photos)]
        for flaw in flaws:
            click.echo(flaw)
        people = sum(len(photo.xy) for photo in one.photos)
        counts = (counted(len(one.photos), "photo"), counted(people, "person", "people"), counted(len(flaws), "flaw"))
        click.echo(", ".join(counts), err=True)
        found += len(flaws)
    return found


def _train(recipe: Recipe, data: TrainingData, validation: KeypointData | None, folder: Path) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from trt_pose_app.training.loop import Training

    training = Training(recipe, data, validation, folder)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("training", total=recipe.schedule.steps, completed=training.step)
        for step, loss in training.steps():
            progress.update(bar, completed=step, description=f"loss {loss:.5f}")
            if stop.is_set():
                training.save()
                break
    click.echo(folder)
