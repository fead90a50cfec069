"""``trt-pose cameras``: the cameras of this machine and what to call them."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby

import click

from trt_pose_app.sources.cameras import Camera, list_cameras


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(as_json: bool) -> None:
    """List the cameras of this machine. The first column is the SOURCE to give to `trt-pose run`."""
    cameras = list_cameras()
    if as_json:
        click.echo(json.dumps([asdict(camera) for camera in cameras], indent=2))
    else:
        for camera in cameras:
            click.echo("\n".join(_lines(camera)))
    if not cameras:
        click.echo("no camera found: plug one in, or give a container its devices (--device /dev/video0)", err=True)


def _lines(camera: Camera) -> list[str]:
    lines = [f"{camera.uri}  {camera.name}" + (f"  ({camera.device})" if camera.device != camera.uri else "")]
    if camera.problem:
        lines.append(f"  cannot be asked: {camera.problem}; are you in the group video?")
    for form, modes in groupby(camera.modes, key=lambda mode: mode.format):
        sizes = (
            f"{mode.width}x{mode.height}" + (f" at {mode.fps[0]:g}" if mode.fps else "")
            for mode in sorted(modes, key=lambda mode: mode.width * mode.height, reverse=True)
        )
        lines.append(f"  {form}: {', '.join(sizes)}")
    return lines
