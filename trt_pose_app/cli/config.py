"""``trt-pose config``: write, show and check configuration files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from trt_pose_app.config.field import fields
from trt_pose_app.config.load import Loaded, examine_config, load_config
from trt_pose_app.config.secret import masked
from trt_pose_app.config.text import config_template, config_text
from trt_pose_app.errors import ConfigError


@click.group("config")
def command() -> None:
    """Write, show and check configuration files.

    A value comes from, least first: the defaults, the file, TRT_POSE__SECTION__FIELD, --set, a flag.
    """


@command.command("init")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Write the path as JSON.")
def init(file: Path | None, force: bool, as_json: bool) -> None:
    """Write a commented file with every field to FILE, or to stdout without one or for -."""
    if file is None or file == Path("-"):
        click.echo(config_template(), nl=False)
        return
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already", hint="give another name, or --force to replace it")
    try:
        _write_whole(file, config_template())
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}", hint="give a path that you may write") from error
    click.echo(json.dumps({"written": str(file)}) if as_json else f"wrote {file}")


@command.command("show")
@click.option("--config", "config_file", envvar="TRT_POSE_CONFIG", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Set a field; may be repeated.")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def show(config_file: Path | None, sets: tuple[str, ...], origin: bool, as_json: bool) -> None:
    """Show the configuration in force, without credentials."""
    loaded = load_config(file=config_file, env=os.environ, sets=sets)
    origins = {name: masked(text) for name, text in loaded.origins.items()}
    if not as_json:
        values = {name: _value(loaded, name) for name in fields()}
        click.echo(config_text(values, origins if origin else None), nl=False)
        return
    document: dict[str, Any] = {"config": masked(loaded.config.model_dump(mode="json"))}
    if origin:
        document["origins"] = origins
    click.echo(json.dumps(document, indent=2))


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def check(ctx: click.Context, file: Path, as_json: bool) -> None:
    """List every mistake in FILE with its line. Exit code 0 if there is none, else 2."""
    _, mistakes = examine_config(file=file)
    if as_json:
        found = [{"where": mistake.where, "text": mistake.text} for mistake in mistakes]
        click.echo(json.dumps({"file": str(file), "ok": not mistakes, "mistakes": found}, indent=2))
    else:
        click.echo("\n".join(map(str, mistakes)) or f"{file}: no mistakes")
    ctx.exit(ConfigError.exit_code if mistakes else 0)


def _value(loaded: Loaded, name: str) -> Any:
    value: Any = loaded.config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _write_whole(file: Path, text: str) -> None:
    """Write ``file`` at once: a reader, or a machine that loses power, sees all of it or none."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
