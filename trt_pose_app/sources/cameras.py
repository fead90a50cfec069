"""The cameras of this machine, as the kernel lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trt_pose_app.sources.natural import natural_key
from trt_pose_app.sources.v4l2 import Capability, Mode, query

# The Jetson's capture driver calls a sensor "vi-output, imx219 9-0010". Its device gives raw Bayer data.
_CSI_PREFIX = "vi-output, "


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. ``uri`` is what to give as source: by a name that survives replugging, where there is one.

    ``problem`` says why the device could not be asked, or is None.
    """

    uri: str
    kind: str
    name: str
    device: str
    modes: tuple[Mode, ...] = ()
    problem: str | None = None


def list_cameras(root: Path = Path("/"), query: Callable[[Path], Capability] = query) -> list[Camera]:
    """Return the cameras under ``root``, V4L2 devices first, then CSI sensors in the order of their numbers.

    Opens devices only to ask what they can do, which disturbs no capture in progress.
    """
    cameras: list[Camera] = []
    sensors: list[Camera] = []
    links = _stable_names(root)
    for entry in sorted((root / "sys/class/video4linux").glob("video*"), key=natural_key):
        name = _read(entry / "name") or entry.name
        device = root / "dev" / entry.name
        shown = f"/dev/{entry.name}"
        if name.startswith(_CSI_PREFIX):
            sensors.append(Camera(f"csi://{len(sensors)}", "csi", name.removeprefix(_CSI_PREFIX), shown))
            continue
        problem = None
        modes: tuple[Mode, ...] = ()
        try:
            found = query(device)
        except OSError as error:
            # Without the device's own word: a camera's first node captures, its second is metadata.
            captures = _read(entry / "index") in ("0", "")
            problem = error.strerror or str(error)
        else:
            captures, modes, name = found.captures, found.modes, found.card or name
        if captures:
            cameras.append(Camera(links.get(entry.name, shown), "v4l2", name, shown, modes, problem))
    return cameras + sensors


def _stable_names(root: Path) -> dict[str, str]:
    """Return device -> link: by serial number where there is one, else by the socket it is plugged into."""
    names: dict[str, str] = {}
    for folder in ("by-path", "by-id"):
        for link in sorted((root / "dev/v4l" / folder).glob("*")):
            if link.is_symlink():
                names[link.readlink().name] = f"/dev/v4l/{folder}/{link.name}"
    return names


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
