"""``trt-pose train``: train a network from a recipe, check a recipe's data, export the result."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trt_pose_app.cli.log import set_up_logging
from trt_pose_app.errors import DependencyError

if TYPE_CHECKING:
    from trt_pose_app.training.coco import KeypointData, TrainingData
    from trt_pose_app.training.recipe import Recipe


@click.command(name="train")
@click.argument("recipe_file", metavar="RECIPE", type=click.Path(path_type=Path))
@click.option("--set", "sets", multiple=True, metavar="TABLE.FIELD=VALUE", help="Lay a value over the recipe's.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="Run folder; default runs/NAME.")
@click.option("--check", is_flag=True, help="Only look through the recipe's data and list every flaw.")
@click.option("--export", type=click.Path(path_type=Path), help="Only write the run's network as FILE.onnx.")
def command(recipe_file: Path, sets: tuple[str, ...], folder: Path | None, check: bool, export: Path | None) -> None:
    """Train a network as RECIPE says. The same command continues an interrupted run.

    Ctrl-C or SIGTERM ends after the present step with a checkpoint; a kill loses the steps since the last one.
    """
    set_up_logging("info", "text")
    from trt_pose_app.training.coco import read_coco, read_training_data
    from trt_pose_app.training.recipe import read_recipe

    recipe = read_recipe(recipe_file, sets)
    folder = folder or Path("runs") / recipe.name
    if check:
        _check(read_training_data(recipe.data))
        return
    try:
        import torch  # noqa: F401  # the one place that explains a missing extra
    except ImportError as error:
        raise DependencyError("training needs torch", hint="pip install 'trt-pose-app[train]'") from error
    if export:
        from trt_pose_app.training.export import export_onnx

        export_onnx(folder, export)
        click.echo(export)
        return
    source, validation = recipe.data, None
    if source.validation_annotations and source.validation_images:
        validation = read_coco(
            source.validation_annotations, source.validation_images, category=source.category, skeleton=source.skeleton
        )
    _train(recipe, read_training_data(source), validation, folder)


def _check(data: TrainingData) -> None:
    from trt_pose_app.training.check import unreadable

    for one in (data.main, *(more for more, _ in data.more)):
        flaws = [*one.flaws, *unreadable(one.photos)]
        for flaw in flaws:
            click.echo(flaw)
        people = sum(len(photo.xy) for photo in one.photos)
        click.echo(f"{len(one.photos)} photos, {people} people, {len(flaws)} flaws", err=True)


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
