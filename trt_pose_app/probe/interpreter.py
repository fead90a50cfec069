"""Which Python this is, and whether it sees the packages of the system."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from trt_pose_app.probe.board import read_text


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``environment`` is ``venv``, ``conda`` or None. ``system_packages`` tells whether it sees those of apt.

    ``tensorrt_beside`` are TensorRT's Python bindings that apt installed, seen from here or not.
    """

    version: str
    executable: str
    prefix: str
    machine: str
    environment: str | None
    system_packages: bool
    tensorrt_beside: tuple[str, ...]


def probe_interpreter(root: Path = Path("/"), prefix: Path | None = None) -> Interpreter:
    """``prefix`` is the environment's folder; default: this interpreter's."""
    folder = Path(sys.prefix) if prefix is None else prefix
    settings = read_text(folder / "pyvenv.cfg")
    conda = (folder / "conda-meta").is_dir()
    shared = re.search(r"(?im)^include-system-site-packages\s*=\s*true\b", settings or "")
    return Interpreter(
        version=platform.python_version(),
        executable=sys.executable,
        prefix=str(folder),
        machine=platform.machine(),
        environment="venv" if settings is not None else "conda" if conda else None,
        system_packages=bool(shared) if settings is not None else not conda,
        tensorrt_beside=tuple(map(str, sorted(root.glob("usr/lib/python3*/dist-packages/tensorrt/__init__.py")))),
    )
