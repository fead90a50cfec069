"""``trt-pose models``: what is here, what can be fetched, where it is and whether it is intact."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from trt_pose_app.errors import ChecksumError, ModelNotFoundError
from trt_pose_app.models import store
from trt_pose_app.models.bundle import NETWORK_SUFFIXES, convert_first
from trt_pose_app.models.checksum import sha256_of
from trt_pose_app.models.part_file import Progress
from trt_pose_app.models.pull import pull, pull_from
from trt_pose_app.models.zoo import CHECKPOINT_SUFFIX, ZooEntry, read_zoo

_LINE_WIDTH, _LICENCE_WIDTH = 120, 26  # of the tables, in characters

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")


@click.group(name="models")
def command() -> None:
    """List, show, locate, fetch and verify models.

    They are looked up in the directories of TRT_POSE_MODELS, the user's cache, and the package, in this order.
    """


@command.command(name="list")
@click.option("--installed", "only_installed", is_flag=True, help="Leave out what can be fetched.")
@_json_option
def list_models(only_installed: bool, as_json: bool) -> None:
    """List the models that are here and those that can be fetched."""
    zoo = read_zoo()
    here = [
        {
            "name": file.name,
            "kind": file.spec.kind if file.spec else _of_zoo(file, "kind"),
            "bytes": file.path.stat().st_size,
            "licence": file.spec.origin.licence if file.spec else _of_zoo(file, "licence"),
            "path": str(file.path),
            "problem": file.problem,
        }
        for file in store.installed(_search())
    ]
    filenames = {Path(str(file["path"])).name for file in here}
    available = [
        {
            "name": entry.name,
            "kind": entry.kind,
            "format": entry.format,
            "skeleton": entry.skeleton,
            "bytes": entry.bytes,
            "licence": entry.licence,
            "source": entry.source,
            "note": entry.note,
        }
        for entry in zoo.values()
        if entry.filename not in filenames
    ]
    if as_json:
        _echo_json({"installed": here} if only_installed else {"installed": here, "available": available})
        return
    _echo_table("installed", ("name", "kind", "size", "licence", "where", ""), here, ("path", "problem"))
    if not only_installed:
        click.echo()
        title = "available (trt-pose models pull NAME)"
        _echo_table(title, ("name", "kind", "size", "licence", "format", "note"), available, ("format", "note"))


@command.command()
@click.argument("name")
@_json_option
def show(name: str, as_json: bool) -> None:
    """Show the spec, licence, origin and checksum of a model."""
    search = _search()
    entry = read_zoo().get(name)
    if entry is not None and store.locate(name, search) is None:
        facts: dict[str, Any] = {"installed": False, **entry.model_dump(mode="json")}
        checkpoint = store.locate(name, search, [CHECKPOINT_SUFFIX])
        if checkpoint is not None:
            facts |= {"installed": True, "path": str(checkpoint), "sha256": sha256_of(checkpoint)}
    else:
        bundle = store.find(name, search=search)
        facts = {"installed": True, "path": str(bundle.path), "sha256": bundle.sha256, "label": bundle.label}
        facts |= {"bytes": bundle.path.stat().st_size, "spec": bundle.spec.model_dump(mode="json")}
    if as_json:
        _echo_json(facts)
    else:
        for key, value in _flat(facts):
            click.echo(f"{key:26} {value}")


@command.command()
@click.argument("name")
@_json_option
def path(name: str, as_json: bool) -> None:
    """Print the path of a model's file and nothing else."""
    search = _search()
    file = None if store.is_path(name) else store.locate(name, search, (*NETWORK_SUFFIXES, CHECKPOINT_SUFFIX))
    file = file or store.find(name, search=search).path
    if as_json:
        _echo_json({"path": str(file.absolute())})
    else:
        click.echo(file.absolute())


@command.command(name="pull")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Copy from this file or folder, without any network."
)
@click.option(
    "--to", "directory", type=click.Path(path_type=Path, file_okay=False), help="Where to put it; default: the cache."
)
@click.option("--force", is_flag=True, help="Fetch again what is there.")
@_json_option
def pull_models(names: Sequence[str], source: Path | None, directory: Path | None, force: bool, as_json: bool) -> None:
    """Fetch models of the zoo, verified, and print where they are.

    An interrupted download is taken up where it stopped. For a board without a network, copy the publisher's files
    (see `trt-pose models show NAME`) to a stick and name its folder with --from.
    """
    directory = directory or store.cache_directory()
    results = []
    for name in names:
        entry = read_zoo().get(name)
        if entry is not None:
            click.echo(f"{name}: licence {entry.licence}; from {entry.source}", err=True)
        with _progress_bar(name) as progress:
            if source is not None:
                pulled = pull_from(source, name, directory, _search(), progress)
            elif entry is not None:
                pulled = pull(entry, directory, progress, force=force)
            else:
                raise _unknown(name)
        if not pulled.verified:
            _tell_unverified(name, pulled.sha256, entry)
        if entry is not None and _is_checkpoint(pulled.path):
            click.echo(f"{name}: no network yet; {convert_first(name)}", err=True)
        results.append({"name": name, "path": str(pulled.path), "sha256": pulled.sha256, "verified": pulled.verified})
        if not as_json:
            click.echo(pulled.path)
    if as_json:
        _echo_json(results)


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@_json_option
def verify(names: Sequence[str], as_json: bool) -> None:
    """Hash installed models again and compare. Ends with exit code 4 if one differs."""
    search = _search()
    files = store.installed(search)
    if missing := sorted(set(names) - {file.name for file in files}):
        raise ModelNotFoundError(f"not installed: {', '.join(missing)}", hint="see `trt-pose models list --installed`")
    results = []
    for file in files:
        if names and file.name not in names:
            continue
        expected, actual = store.expected_sha256(file.path, search), sha256_of(file.path)
        status = "unknown" if expected is None else "ok" if expected == actual else "mismatch"
        results.append(
            {"name": file.name, "path": str(file.path), "status": status, "sha256": actual, "expected": expected}
        )
        if not as_json:
            click.echo(f"{status:9} {actual}  {file.path}")
    if as_json:
        _echo_json(results)
    if wrong := [result["path"] for result in results if result["status"] == "mismatch"]:
        raise ChecksumError(
            f"not what they should be: {', '.join(map(str, wrong))}", hint="`trt-pose models pull NAME` fetches it anew"
        )


def _search() -> tuple[Path, ...]:
    return store.default_search(os.environ)


def _is_checkpoint(file: Path) -> bool:
    return file.suffix == CHECKPOINT_SUFFIX


def _of_zoo(file: store.Installed, field: str) -> Any:
    entry = read_zoo().get(file.name)
    return getattr(entry, field) if entry is not None and entry.filename == file.path.name else None


def _unknown(name: str) -> ModelNotFoundError:
    close = store.close_names(name, read_zoo())
    hint = f"did you mean {' or '.join(close)}?" if close else "give its file with --from FILE or FOLDER"
    return ModelNotFoundError(f"no address is known for {name!r}", hint=hint)


def _tell_unverified(name: str, sha256: str, entry: ZooEntry | None) -> None:
    text = f"{name}: NOT VERIFIED, nobody published a checksum of it; to pin it, note its sha256 {sha256}"
    if entry is not None and entry.sha256_prefix is not None:
        fits = "as" if sha256.startswith(entry.sha256_prefix) else "NOT as"
        text += f" (it begins {fits} the publisher's file name says, {entry.sha256_prefix})"
    click.secho(text, fg="yellow", err=True)


@contextmanager
def _progress_bar(name: str) -> Iterator[Progress | None]:
    """Yield what draws a bar on stderr, or None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda received, total: bar.update(task, completed=received, total=total)


def _echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def _echo_table(title: str, header: Sequence[str], rows: Sequence[dict[str, Any]], last: Sequence[str]) -> None:
    """Print aligned columns. Licences and notes are cut to fit the line, names and paths never, as they are copied."""
    keys = ("name", "kind", "bytes", "licence", *last)
    table = [list(header)]
    for row in rows:
        size = "-" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f} MB"
        licence = shorten(row["licence"] or "-", _LICENCE_WIDTH, placeholder="...")
        shown = row | {"bytes": size, "licence": licence}
        table.append([str(shown[key] or "-") for key in keys])
    widths = [max(map(len, column)) for column in zip(*table)]
    if keys[-1] == "note":
        room = _LINE_WIDTH - sum(width + 2 for width in widths[:-1]) - 2
        for cells in table:
            cells[-1] = shorten(cells[-1], room, placeholder="...")
    click.secho(title, bold=True)
    for cells in table:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{prefix}{key}.")
        elif item not in (None, "", []):
            yield f"{prefix}{key}", " ".join(map(str, item)) if isinstance(item, list) else str(item)
