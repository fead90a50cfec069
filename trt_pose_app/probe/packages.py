"""What the Python packages that touch hardware or native code do when they are imported here."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

IMPORTED = ("cv2", "onnxruntime", "tensorrt", "av", "trt_pose_app._paf", "libcuda")
# Imported by none of us, or too slow to import: their metadata says enough.
_NOTED = ("numpy", "torch", "pydantic", "paho-mqtt", "trt-pose-app")
# More than one of a group in one environment overwrite each other's files.
_RIVALS = {
    "cv2": (
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-training"),
}
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from trt_pose_app.probe.one_import import main; main()"
)
_NUMPY_ABI = re.compile(r"compiled using NumPy 1\.x|_ARRAY_API not found|numpy\.core\.multiarray failed to import")


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import gave. ``error`` is None where it worked, ``absent`` is true where there is nothing to import.

    ``numpy_abi`` is true where the module was built for another numpy. ``origin`` is ``apt``, the pip package's name
    or None; ``rivals`` are further packages that install the same module. ``details`` are the module's own words.
    """

    version: str | None = None
    file: str | None = None
    origin: str | None = None
    error: str | None = None
    absent: bool = False
    numpy_abi: bool = False
    rivals: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return self.error is None


def probe_imports(names: Sequence[str] = IMPORTED, *, timeout_s: float = 15.0) -> dict[str, Imported]:
    """Import each module in a process of its own, all at the same time, and return what happened."""
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path)]
    children: dict[str, subprocess.Popen[bytes] | str] = {}
    for name in names:
        try:
            children[name] = subprocess.Popen(
                [*command, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            children[name] = f"cannot start {sys.executable}: {error.strerror}"
    deadline = time.monotonic() + timeout_s
    return {name: _collect(name, child, deadline, timeout_s) for name, child in children.items()}


def probe_versions() -> dict[str, str | None]:
    """Return the versions of packages that need no import to be known, None for those that are absent."""
    return {name: _installed(name) for name in _NOTED}


def _collect(name: str, child: subprocess.Popen[bytes] | str, deadline: float, timeout_s: float) -> Imported:
    if isinstance(child, str):
        return Imported(error=child)
    try:
        # The little that is left for the last ones lets those be read that ended long ago.
        output, errors = child.communicate(timeout=max(0.3, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a process of its own may hold the pipes
            child.communicate(timeout=1.0)
        return Imported(error=f"the import had not ended after {timeout_s:g} s")
    if child.returncode < 0:
        return Imported(error=f"the import crashed with {_signal_name(-child.returncode)}")
    try:
        report: dict[str, Any] = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        return Imported(error=f"the import ended the interpreter with code {child.returncode}")
    return _judge(name, report, errors.decode(errors="replace"))


def _judge(name: str, report: dict[str, Any], errors: str) -> Imported:
    error, version, file = (report.pop(key, None) for key in ("error", "version", "file"))
    if name == "cv2":
        report = _opencv_features(report.pop("build", ""))
    pip = [package for package in _RIVALS.get(name, (name,)) if _installed(package)]
    missing = error is not None and (f"No module named '{name}'" in error or "libcuda.so.1: cannot open" in error)
    from_apt = file is not None and "/dist-packages/" in file and file.startswith("/usr/lib/")
    return Imported(
        version=version,
        file=file,
        origin="apt" if from_apt else pip[0] if pip else None,
        error=error.splitlines()[0] if error else None,
        absent=missing,
        numpy_abi=error is not None and bool(_NUMPY_ABI.search(error + errors)),
        rivals=tuple(pip[1:]),
        details=report,
    )


def _opencv_features(build: str) -> dict[str, Any]:
    """Return whether GStreamer is built in, and the window toolkit or None, from OpenCV's build report."""
    gstreamer = re.search(r"(?m)^\s*GStreamer:\s*(\S+)", build)
    windows = re.search(r"(?m)^\s*GUI:\s*(.*\S)", build)
    toolkit = windows[1] if windows else "NONE"
    return {"gstreamer": gstreamer is not None and gstreamer[1] == "YES", "gui": None if toolkit == "NONE" else toolkit}


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
