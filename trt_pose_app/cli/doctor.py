"""``trt-pose doctor``: check this machine and say what to fix."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import click

from trt_pose_app.cli.log import set_up_logging
from trt_pose_app.cli.trial import list_camera_checks, try_broker, try_model, try_source
from trt_pose_app.config.load import load_config
from trt_pose_app.errors import DependencyError
from trt_pose_app.message import clock_synced
from trt_pose_app.models.store import cache_directory, default_search
from trt_pose_app.probe import Facts, probe
from trt_pose_app.probe.check import Check
from trt_pose_app.probe.verdict import judge

_MARKS = {"pass": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


@click.command("doctor")
@click.option("--source", metavar="URI", help="Read one frame from this source.")
@click.option("--mqtt", metavar="URI", help="Connect to this broker and publish to it: mqtt://[user@]host[:port].")
@click.option("--config", "config_file", envvar="TRT_POSE_CONFIG", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Set a field; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Write checks and facts as JSON, for a bug report.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str | None,
    mqtt: str | None,
    config_file: Path | None,
    sets: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check this machine and say what to fix.

    Exit code 0 if nothing fails (there may be warnings), 3 if something does.
    """
    config = load_config(file=config_file, env=os.environ, sets=sets).config
    set_up_logging(config.log.level, config.log.format)
    facts = probe(cache=cache_directory())
    checks = [
        *(_as_switched(check) for check in judge(facts)),
        _clock_check(),
        try_model(config, default_search(os.environ)),
        *list_camera_checks(facts.board.jetson, facts.argus),
        *([try_source(source, config)] if source else []),
        *([try_broker(mqtt, config.mqtt, config.device.id or socket.gethostname())] if mqtt else []),
    ]
    if as_json:
        _write_json(facts, checks)
    elif sys.stdout.isatty():
        _write_table(checks)
    else:
        _write_lines(checks)
    ctx.exit(DependencyError.exit_code if any(check.status == "fail" for check in checks) else 0)


def _as_switched(check: Check) -> Check:
    """Return the check of the native parser as a warning where the environment switches that parser off."""
    if (check.section, check.name) != ("parser", "native") or os.environ.get("TRT_POSE_NATIVE") != "0":
        return check
    return replace(check, status="warn", detail="switched off by TRT_POSE_NATIVE=0", fix="unset TRT_POSE_NATIVE")


def _clock_check() -> Check:
    synced = clock_synced()
    if synced is False:
        fix = "sudo timedatectl set-ntp true"
        return Check("machine", "clock", "warn", "not synchronised: timestamps of messages may be wrong", fix)
    return Check("machine", "clock", "pass", "synchronised" if synced else "the kernel does not say if synchronised")


def _write_json(facts: Facts, checks: list[Check]) -> None:
    document = {
        "ok": all(check.status != "fail" for check in checks),
        "checks": [asdict(check) for check in checks],
        "facts": facts.to_dict(),
    }
    click.echo(json.dumps(document, indent=2))


def _write_lines(checks: list[Check]) -> None:
    for check in checks:
        click.echo(f"{check.status}  {check.section:<8}  {check.name}: {check.detail}")
        if check.fix:
            click.echo(f"      {'':<8}  fix: {check.fix}")
    click.echo(_summary(checks))


def _write_table(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    section = ""
    for check in checks:
        mark, style = _MARKS[check.status]
        detail = Text(check.detail)
        if check.fix:
            detail.append(f"\n{check.fix}", style="cyan")
        shown = "" if check.section == section else check.section
        table.add_row(Text(mark, style), Text(shown, "bold"), Text(check.name), detail)
        section = check.section
    console = Console()
    console.print(table)
    console.print(Text(f"\n{_summary(checks)}"))


def _summary(checks: list[Check]) -> str:
    counts = Counter(check.status for check in checks)
    return ", ".join(f"{counts[status]} {status}" for status in ("pass", "warn", "fail"))
