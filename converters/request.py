"""What is to be converted and how, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from converters.parity_report import ParityReport
from converters.precision import SEARCH_S, Kept, Method
from trt_pose_app.models.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One conversion. ``batch`` and ``size`` (width, height) None: free where the network allows it.

    ``output`` is a file name.onnx (or name.engine), a folder, or None for the models cache, where `trt-pose run
    --model NAME` looks. ``annotations`` (COCO) with its ``images`` let both sides' AP be compared, and are what to
    calibrate with unless ``calibration`` names pictures or a video. ``budget`` changes single limits of the precision's
    ``Budget``; ``force`` writes all the same. For int8, ``method`` chooses the activations' ranges, and ``search_s`` is
    how long to look for the layers that it harms most. ``workspace_mib`` and ``dla_core`` are for engines, see
    ``EngineOptions``.
    """

    source: str
    output: Path | None = None
    to: Literal["onnx", "engine", "triton"] = "onnx"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    uint8_input: bool = False
    fuse_peaks: bool = False
    batch: int | None = None
    size: tuple[int, int] | None = None
    opset: int | None = None
    calibration: Path | None = None
    annotations: Path | None = None
    images: Path | None = None
    frames: int | None = None
    method: Method = "error"
    search_s: float = SEARCH_S
    budget: Mapping[str, float | None] = field(default_factory=dict)
    force: bool = False
    spec: Path | None = None
    task: Path | None = None
    name: str | None = None
    threads: int = 0
    workspace_mib: int | None = None
    dla_core: int | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it. ``written`` is empty when a budget was broken and nothing forced it; ``kept`` are the layers in
    higher precision than asked for; ``bytes`` is the size of the network."""

    source: str
    spec: ModelSpec
    reports: tuple[ParityReport, ...]
    written: tuple[Path, ...]
    seconds: Mapping[str, float]
    bytes: int
    kept: tuple[Kept, ...] = ()

    @property
    def passed(self) -> bool:
        return all(report.passed for report in self.reports)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "name": self.spec.name,
            "source": self.source,
            "kind": self.spec.kind,
            "precision": self.spec.precision,
            "passed": self.passed,
            "written": [str(path) for path in self.written],
            "bytes": self.bytes,
            "seconds": dict(self.seconds),
            "kept": [asdict(layer) for layer in self.kept],
            "parity": [report.to_dict() for report in self.reports],
        }
