"""``trt-pose convert``: a checkpoint or network to a bundle, engine or repository that is known to compute the same."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trt_pose_app.cli.log import set_up_logging
from trt_pose_app.errors import ConfigError, DependencyError
from trt_pose_app.geometry import Size
from trt_pose_app.models.store import default_search

if TYPE_CHECKING:
    from rich.console import Console

    from converters.parity_report import ParityReport
    from converters.stages import Listener

_NEEDS = ("onnx", "onnxruntime", "onnxslim", "tomli_w", "cv2")


@click.command(name="convert")
@click.argument("source", metavar="CHECKPOINT")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder; default: the models cache.")
@click.option("--to", type=click.Choice(["onnx", "engine", "triton"]), default="onnx", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True)
@click.option(
    "--input",
    "input_kind",
    type=click.Choice(["float", "uint8-nhwc"]),
    default="float",
    show_default=True,
    help="uint8-nhwc: colour order and normalisation go into the network.",
)
@click.option("--fuse-peaks", is_flag=True, help="Find peaks and score limbs inside the network.")
@click.option("--batch", metavar="N|dynamic", help="Pictures per run; default: free where the network allows it.")
@click.option("--input-size", metavar="HxW", help="Fix the input size; default: free where the network allows it.")
@click.option("--opset", type=int, help="ONNX opset; default 17, which TensorRT 8.6 and later read.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Pictures or a video for int8 and comparison.")
@click.option("--frames", type=click.IntRange(1), help="How many of them; default 8, for int8 64.")
@click.option(
    "--method", type=click.Choice(["error", "entropy", "percentile", "minmax"]), default="error", show_default=True,
    help="How int8 finds the range of a layer's input.",
)  # fmt: skip
@click.option(
    "--search", "search_s", type=click.FloatRange(0), default=180.0, show_default=True, metavar="SECONDS",
    help="How long to look for the layers that int8 harms most; 0: all in int8.",
)  # fmt: skip
@click.option("--annotations", type=click.Path(path_type=Path), help="COCO.json: also compare AP.")
@click.option("--images", type=click.Path(path_type=Path), help="The photos' folder; default: near the annotations.")
@click.option("--budget", "budgets", multiple=True, metavar="LIMIT=VALUE", help="Change a limit; none: lift it.")
@click.option("--force", is_flag=True, help="Write the result even if it breaks its budget.")
@click.option("--spec", type=click.Path(path_type=Path), help="Spec of a network that has none.")
@click.option("--task", type=click.Path(path_type=Path), help="human_pose.json of a trt_pose network of your own.")
@click.option("--name", help="Name of the model; default: its family and what was done to it.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of the comparison; 0: one per core.")
@click.option("--workspace-mib", type=click.IntRange(1), help="Scratch memory of an engine's layers.")
@click.option("--dla-core", type=click.IntRange(0, 1), help="Run an engine on this deep learning accelerator.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
def command(
    source: str, input_kind: str, batch: str | None, input_size: str | None, budgets: tuple[str, ...], as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Convert CHECKPOINT to a network that `trt-pose run --model NAME` runs, and prove that it computes the same.

    CHECKPOINT is a .pth, .onnx or .zip file, a training run's folder, or the name of an installed model. The same
    pictures go through source and result; if they differ by more than the precision's budget, nothing is written and
    the exit code is 1.
    """
    set_up_logging("warning", "text")
    if missing := [name for name in _NEEDS if find_spec(name) is None]:
        raise DependencyError(f"converting needs {', '.join(missing)}", hint="pip install 'trt-pose-app[convert]'")
    from rich.console import Console

    from converters.convert import convert
    from converters.request import Request
    from converters.stages import Stages

    request = Request(
        source=source,
        uint8_input=input_kind == "uint8-nhwc",
        batch=_batch(batch),
        size=_size(input_size),
        budget=_limits(budgets),
        **options,
    )
    console = Console(stderr=True)
    with console.status("") as status, _sigterm_interrupts():
        conversion = convert(request, Stages(_show_stages(console, status)), search=default_search(os.environ))
    for report in conversion.reports:
        _show_parity(report, console)
    if as_json:
        click.echo(json.dumps(conversion.to_dict(), indent=2))
    elif conversion.written:
        click.echo(conversion.written[0])
    if conversion.passed:
        return 0
    outcome = "written all the same" if conversion.written else "nothing was written; --force writes it all the same"
    console.print(f"[red]the result is not within its budget[/]: {outcome}", highlight=False)
    return 1


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the work as SIGINT does, so that temporary files go away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_stages(console: Console, status: Any) -> Listener:
    def listen(stage: str, outcome: str | None, seconds: float) -> None:
        if outcome is None:
            status.update(f"{stage} ...")
        else:
            console.print(f"{stage:20} {seconds:6.1f} s  {outcome}", highlight=False, markup=False, soft_wrap=True)

    return listen


def _show_parity(report: ParityReport, console: Console) -> None:
    from rich.table import Table

    console.print(report.title, highlight=False, markup=False, soft_wrap=True)
    table = Table("output", "largest error", "of range", "mean of range", "same peaks")
    for output in report.outputs:
        peaks = "" if output.argmax is None else f"{output.argmax:.2%}"
        figures = (f"{output.max_error:.3g}", f"{output.relative_max:.2e}", f"{output.relative_mean:.2e}", peaks)
        table.add_row(output.role, *figures)
    if report.outputs:
        console.print(table)
    if (people := report.people) is not None and people.nobody:
        console.print(
            "[yellow]neither side finds anybody in these pictures, so people were not compared;[/] "
            "--calibration gives others",
            highlight=False,
        )
    elif people is not None:
        console.print(
            f"people {people.source} and {people.result}, {people.found:.1%} with a partner; keypoint shift "
            f"{people.shift_px:.3f} px, p95 {people.shift_p95_px:.3f} px",
            highlight=False,
        )
    if report.ap is not None:
        console.print(f"AP {100 * report.ap[0]:.2f} before, {100 * report.ap[1]:.2f} after", highlight=False)
    for sentence in report.broken:
        console.print(f"[red]broken:[/] {sentence}", highlight=False)


def _batch(text: str | None) -> int | None:
    if text is None or text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(
            f"--batch {text} is neither a number nor dynamic", hint="--batch 1, --batch 4, --batch dynamic"
        )
    return int(text)


def _size(text: str | None) -> Size | None:
    if text is None:
        return None
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ConfigError(f"--input-size {text} is no size", hint="height x width, such as --input-size 256x320")
    return int(width), int(height)


def _limits(texts: tuple[str, ...]) -> dict[str, float | None]:
    limits: dict[str, float | None] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            limits[name] = None if value == "none" else float(value)
        except ValueError:
            raise ConfigError(
                f"--budget {text} is not LIMIT=VALUE", hint="--budget max_error=0.02, or --budget max_error=none"
            ) from None
    return limits
