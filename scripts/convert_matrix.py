"""Convert every kind of network in every precision and input, and print the parity figures as a Markdown table.

    python scripts/convert_matrix.py ../shared [--only TEXT] [--precision fp32,fp16] [--input float,uint8]
                                     [--annotations COCO.json [--images FOLDER]] [--threads N] [--row-seconds 180]

``../shared`` holds the networks and the functions that fill weights from a hash of each tensor's name, where the real
ones cannot be had. Such networks see people everywhere, so for them only the errors of the outputs count, and int8 is
not searched for layers to leave out. With annotations, AP before and after is measured for the pose networks with real
weights, once for each precision. A checkpoint is exported in its first row, the other rows start from that ONNX file.
A line on stderr for each row. Needs torch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from converters.convert import convert
from converters.request import Conversion, Request
from converters.stages import Stages
from trt_pose_app.errors import TrtPoseError

PRECISIONS = ("fp32", "fp16", "int8")
INPUTS = ("float", "uint8", "fused")
HEADER = ("model", "precision", "input", "MB", "max / range", "mean / range", "same peaks", "people", "shift px", "AP",
          "fp32 layers", "s", "verdict")  # fmt: skip
# What hash-filled weights see is noise: its peaks and people move with any rounding.
NOISE = {"argmax": None, "people": None, "shift_px": None}


@dataclass(frozen=True)
class Row:
    """One network; ``make`` writes its checkpoint into a folder, or names what lies ready."""

    name: str
    make: Callable[[Path], str]
    real: bool
    is_paf: bool = False
    has_ap: bool = False
    size: tuple[int, int] | None = None


def rows(shared: Path) -> list[Row]:
    """Return the networks of the table."""
    pose, weights = shared / "golden/rtmpose", shared / "weights"
    return [
        Row("resnet18_att 224", lambda folder: trt_pose(shared, folder, "resnet18_baseline_att", 0.45), False, True),
        Row(
            "densenet121_att 256",
            lambda folder: trt_pose(shared, folder, "densenet121_baseline_att", 0.65),
            False,
            True,
            size=(256, 256),
        ),
        Row("rtmpose-t", lambda folder: openmmlab(pose, folder, "rtmpose-t"), False),
        Row("rtmpose-m", lambda folder: openmmlab(pose, folder, "rtmpose-m"), False),
        Row("mobilenetv2", lambda folder: openmmlab(pose, folder, "mobilenetv2"), False),
        Row("rtmdet-nano", lambda folder: rtmdet(weights, folder), True),
        Row("openpose-lightweight", lambda _: "openpose-lightweight", True, True, has_ap=True),
        Row("tinypose", lambda _: "tinypose-256x192", True, has_ap=True),
        Row("pose-nano", lambda _: "pose-nano", True, True, has_ap=True),
    ]


def trt_pose(shared: Path, folder: Path, name: str, gamma: float) -> str:
    """Write a trt_pose checkpoint with hash-filled weights."""
    fill = runpy.run_path(str(shared / "golden/trt_pose/hashfill.py"))["tensor"]
    listed = json.loads((shared / f"golden/trt_pose/statedict_{name}.json").read_text())["state_dict"]
    state = {key: fill(key, tuple(entry["shape"]), gamma) for key, entry in listed.items()}
    return saved(folder / f"{name}.pth", state)


def openmmlab(golden: Path, folder: Path, name: str) -> str:
    """Write an OpenMMLab checkpoint with hash-filled weights."""
    detfill = runpy.run_path(str(golden / "detfill.py"))
    shapes = {entry["name"]: entry["shape"] for entry in json.loads((golden / f"keys_{name}.json").read_text())}
    return saved(folder / f"{name}.pth", detfill["fill_state_dict"](shapes, detfill["GAIN"][name]))


def rtmdet(weights: Path, folder: Path) -> str:
    """Write the real RTMDet-nano as an OpenMMLab checkpoint."""
    with np.load(weights / "rtmdet_nano_person_real_statedict.npz") as state:
        return saved(folder / "rtmdet-nano.pth", dict(state))


def saved(path: Path, state: Mapping[str, np.ndarray]) -> str:
    """Write a state dict as torch does."""
    import torch

    torch.save({key: torch.from_numpy(np.array(value)) for key, value in state.items()}, path)
    return str(path)


def cells(conversion: Conversion, seconds: float) -> tuple[str, ...]:
    """Return a row's figures behind its name."""
    report = conversion.reports[-1]
    outputs, people = report.outputs, report.people
    peaks = [output.argmax for output in outputs if output.argmax is not None]
    found = "" if people is None else f"{people.found:.1%} of {people.source}"
    return (
        f"{conversion.bytes / 1e6:.1f}",
        f"{max((o.relative_max for o in outputs), default=0):.1e}" if outputs else "",
        f"{max((o.relative_mean for o in outputs), default=0):.1e}" if outputs else "",
        f"{min(peaks):.1%}" if peaks else "",
        found,
        "" if people is None else f"{people.shift_px:.3f}",
        "" if report.ap is None else f"{100 * report.ap[0]:.1f} to {100 * report.ap[1]:.1f}",
        str(len(conversion.kept)),
        f"{seconds:.0f}",
        "passed" if conversion.passed else "; ".join(s for r in conversion.reports for s in r.broken),
    )


class RowTimeoutError(Exception):
    """A row took too long."""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise RowTimeoutError when the body takes longer."""

    def out_of_time(*_: object) -> None:
        raise RowTimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def machine() -> str:
    """Return on what, with what and when this was measured."""
    import onnxruntime

    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    processor = f"{len(names)} cores of {names[0]}" if names else platform.processor()
    return f"{processor}, ONNX Runtime {onnxruntime.__version__}, {date.today():%-d %B %Y}"


def request_of(row: Row, source: str, precision: Any, kind: str, output: Path, options: argparse.Namespace) -> Request:
    """Return what one row of the table asks for."""
    measured = row.has_ap and kind == "float"
    photos = options.shared / "images/coco_train_teacher/images"
    return Request(
        source=source,
        output=output,
        precision=precision,
        uint8_input=kind == "uint8",
        fuse_peaks=kind == "fused",
        size=row.size,
        calibration=photos if photos.is_dir() else None,
        frames=(64 if row.real else 8) if precision == "int8" else (16 if row.real else 4),
        search_s=60 if row.real else 0,
        annotations=options.annotations if measured else None,
        images=options.images,
        budget={} if row.real else NOISE,
        force=True,  # the table shows figures that break a budget, and the next rows start from the file
        threads=options.threads,
    )


def main() -> int:
    """Print the table; 1 if a row failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--precision", default=",".join(PRECISIONS))
    parser.add_argument("--input", default=",".join(INPUTS))
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--row-seconds", type=int, default=180)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    search = [Path(__file__).parents[1] / "weights", options.shared / "weights"]
    print(f"{machine()}\n\n| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}", flush=True)
    failed = False
    for row in rows(options.shared):
        if options.only not in row.name:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = row.make(folder)
            for precision in options.precision.split(","):
                for kind in options.input.split(","):
                    if kind == "fused" and not row.is_paf:
                        continue
                    output = folder / f"{row.name.split()[0]}-{precision}-{kind}.onnx"
                    start = time.monotonic()
                    figures: tuple[str, ...]
                    try:
                        with time_limit(options.row_seconds):
                            request = request_of(row, source, precision, kind, output, options)
                            conversion = convert(request, Stages(), search=search)
                        figures = cells(conversion, time.monotonic() - start)
                        failed |= not conversion.passed
                        if source.endswith(".pth") and (precision, kind) == ("fp32", "float"):
                            source = str(output)
                    except (TrtPoseError, RowTimeoutError) as error:
                        figures = (*[""] * 9, f"failed: {error}")
                        failed = True
                    print(f"| {' | '.join((row.name, precision, kind, *figures))} |", flush=True)
                    print(f"{row.name} {precision} {kind}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
