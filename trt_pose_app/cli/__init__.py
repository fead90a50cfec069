"""``trt-pose VERB``. Each verb lives in a module of its own that is imported only when it is called."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module

import click

from trt_pose_app import __version__
from trt_pose_app.errors import TrtPoseError

# verb -> (module, one line for --help, so that the list needs no imports)
VERBS = {
    "run": ("trt_pose_app.cli.run", "Run a camera or video through a model into sinks."),
    "predict": ("trt_pose_app.cli.predict", "Find the people in pictures and write one results file."),
    "bench": ("trt_pose_app.cli.bench", "Measure each stage, the engine and the whole pipeline."),
    "eval": ("trt_pose_app.cli.eval", "Measure models on annotated photos: AP, PCK, kinds of error, speed."),
    "models": ("trt_pose_app.cli.models", "List, show, locate, fetch and verify models."),
    "cameras": ("trt_pose_app.cli.cameras", "List the cameras of this machine."),
    "convert": ("trt_pose_app.cli.convert", "Convert a checkpoint to a verified network or engine."),
    "train": ("trt_pose_app.cli.train", "Train a network from a recipe."),
    "doctor": ("trt_pose_app.cli.doctor", "Check this machine and say what to fix."),
    "config": ("trt_pose_app.cli.config", "Write, show and check configuration files."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and (close := get_close_matches(args[0], VERBS, n=1)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trt-pose")
def cli() -> None:
    """2D human pose on NVIDIA Jetson: a camera or video in, keypoints out.

    Results go to stdout or the named sinks, the log to stderr.
    Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 missing dependency or hardware, 4 model, 130 interrupted;
    `run` stopped by Ctrl-C or SIGTERM ends in order with 0.
    """


def main() -> None:
    """Run the command line and exit with the documented code."""
    try:
        code = cli(standalone_mode=False)
    except TrtPoseError as error:
        click.secho(f"error: {error.message}", fg="red", err=True)
        click.echo(f"  hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `trt-pose ... | head`: the reader has what it wanted
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # stdout is a full disk
        click.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
