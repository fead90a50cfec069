"""One conversion from end to end: checkpoint to a bundle, engine or repository that is known to compute the same."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import onnx

from converters.budget import budget_for
from converters.bundle_writer import write_bundle, write_network
from converters.export import OPSET, export_onnx
from converters.frames import Picture, calibration_frames
from converters.parity import Side, compare_sides
from converters.parity_report import ParityReport
from converters.preprocess_graph import fold_preprocessing
from converters.shapes import fix_shapes, resized
from converters.source_network import SourceNetwork, open_source_network
from converters.stages import Stages
from converters.torch_engine import TorchEngine
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.bundle import Bundle, sidecar_of
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import cache_directory

Precision = Literal["fp32", "fp16", "int8"]

_FRAMES = {"fp32": 8, "fp16": 8, "int8": 32}  # int8 learns its ranges from them


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to convert and how. ``batch`` and ``size`` (width, height) None: free where the network allows it.

    ``output`` is a file name.onnx (or name.engine), a folder, or None for the models cache, where `trt-pose run
    --model NAME` looks. ``budget`` changes single limits of the precision's ``Budget``; ``force`` writes all the same.
    """

    source: str
    output: Path | None = None
    to: Literal["onnx", "engine", "triton"] = "onnx"
    precision: Precision = "fp32"
    uint8_input: bool = False
    fuse_peaks: bool = False
    batch: int | None = None
    size: tuple[int, int] | None = None
    opset: int | None = None
    calibration: Path | None = None
    frames: int | None = None
    budget: Mapping[str, float | None] = field(default_factory=dict)
    force: bool = False
    spec: Path | None = None
    task: Path | None = None
    name: str | None = None
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it. ``written`` is empty when a budget was broken and nothing forced it."""

    source: str
    spec: ModelSpec
    reports: tuple[ParityReport, ...]
    written: tuple[Path, ...]
    seconds: Mapping[str, float]
    bytes: int

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
            "parity": [report.to_dict() for report in self.reports],
        }


def convert(request: Request, stages: Stages, *, search: Sequence[Path] = ()) -> Conversion:
    """Convert, compare and write. Nothing is written when the comparison breaks its budget, unless forced.

    ``search`` are the model directories in which names are looked up. Raises ConfigError, ModelError,
    DependencyError, EngineError.
    """
    budget = budget_for(request.precision, request.budget)
    with stages("read") as tell:
        source = open_source_network(request.source, spec=request.spec, task=request.task, search=search)
        tell(source.description)
    target = _target(request, source)
    if source.engine is not None:
        return _unpack_engine(request, source, source.engine, target, stages)
    frames = calibration_frames(request.calibration, request.frames or _FRAMES[request.precision])
    reports = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trt-pose-convert-")))
        plain, spec = _as_onnx(request, source, stages)
        plain_bundle = write_bundle(plain, spec, folder / "plain.onnx")
        plain_side = _side(plain_bundle, request, stack)
        origin = plain_side
        if source.network is not None:
            origin = Side(source.path.name, spec, TorchEngine(source.network, spec))
        model, spec = _changed(request, plain, spec, frames, stages)
        spec = _named(request, source, spec, target)
        changed = model is not plain
        if origin is not plain_side:
            with stages("compare") as tell:
                limits = budget_for("fp32", {} if changed else request.budget)
                reports.append(compare_sides(origin, plain_side, frames, budget=limits))
                tell(_verdict(reports[-1]))
        if changed or not reports:
            del plain
            side = _side(write_bundle(model, spec, folder / "result.onnx"), request, stack)
            with stages(f"compare {request.precision}") as tell:
                reports.append(compare_sides(origin, side, frames, budget=budget))
                tell(_verdict(reports[-1]))
    size = model.ByteSize()
    if not (request.force or all(report.passed for report in reports)):
        return Conversion(source.description, spec, tuple(reports), (), stages.seconds, size)
    written = _write(request, model, spec, target, stages)
    return Conversion(source.description, spec, tuple(reports), written, stages.seconds, size)


def _as_onnx(request: Request, source: SourceNetwork, stages: Stages) -> tuple[onnx.ModelProto, ModelSpec]:
    if source.model is not None:
        if request.opset is not None:
            raise ConfigError(f"{source.path} has its opset already", hint="leave out --opset")
        return fix_shapes(source.model, source.spec, batch=request.batch, size=request.size)
    spec = resized(source.spec, request.size)
    with stages("export") as tell:
        model = export_onnx(
            source.network,
            spec,
            batch=request.batch,
            opset=request.opset or OPSET,
            free_size=False if request.size else None,
        )
        tell(f"opset {model.opset_import[0].version}, {len(model.graph.node)} nodes, {model.ByteSize() / 1e6:.1f} MB")
    return model, spec


def _changed(
    request: Request, model: onnx.ModelProto, spec: ModelSpec, frames: Sequence[Picture], stages: Stages
) -> tuple[onnx.ModelProto, ModelSpec]:
    """Return the model after the passes that were asked for; precision comes last, as it changes the types."""
    if request.uint8_input:
        with stages("fold preprocessing") as tell:
            model, spec = fold_preprocessing(model, spec)
            tell("uint8 NHWC BGR in")
    if request.fuse_peaks:
        from converters.fuse import fuse_peaks

        with stages("fuse peaks") as tell:
            model, spec = fuse_peaks(model, spec)
            tell(", ".join(spec.outputs.values()))
    if request.precision != "fp32":
        from converters.precision import to_fp16, to_int8

        with stages(request.precision):
            change = to_fp16 if request.precision == "fp16" else to_int8
            model, spec = change(model, spec, frames)
    return model, spec


def _side(bundle: Bundle, request: Request, stack: ExitStack) -> Side:
    engine = OnnxRuntimeEngine(bundle.path, backend="cpu", threads=request.threads)
    return Side(bundle.label, bundle.spec, stack.enter_context(engine))


def _verdict(report: ParityReport) -> str:
    worst = max((output.relative_max for output in report.outputs), default=0.0)
    people = "" if report.people is None else f", {report.people.found:.1%} of people again"
    return f"{report.frames} frames, largest error {worst:.2g} of the range{people}"


def _target(request: Request, source: SourceNetwork) -> Path:
    """Return the file to write; refuse to write over the source."""
    suffix = ".engine" if request.to == "engine" else ".onnx"
    output = request.output or cache_directory()
    if output.suffix != suffix:
        if output.suffix in (".onnx", ".engine", ".toml", ".pth", ".pt"):
            raise ConfigError(f"--to {request.to} writes no {output.suffix} file", hint=f"end -o in {suffix}, or in /")
        output = output / f"{_name(request, source)}{suffix}"
    elif request.name is not None and request.name != output.stem:
        raise ConfigError(f"--name {request.name} and -o {output} differ", hint="leave out one of them")
    if output.exists() and source.path.exists() and output.samefile(source.path):
        raise ConfigError(f"{output} would be written over itself", hint="give another name with --name or -o")
    return output


def _name(request: Request, source: SourceNetwork) -> str:
    if request.name is not None:
        return request.name
    parts = [source.spec.name]
    if request.precision != "fp32":
        parts.append(request.precision)
    if request.uint8_input:
        parts.append("uint8")
    if request.fuse_peaks:
        parts.append("fused")
    if request.size:
        parts.append(f"{request.size[1]}x{request.size[0]}")
    return "-".join(parts)


def _named(request: Request, source: SourceNetwork, spec: ModelSpec, target: Path) -> ModelSpec:
    """Return the spec under the target's name; addresses and checksum were the source's."""
    note = f"converted from {source.path.name} ({request.precision})"
    known = spec.origin.note
    origin = spec.origin.model_copy(
        update={"sha256": None, "urls": (), "note": note if not known else f"{known}; {note}"}
    )
    named = spec.model_copy(update={"name": target.stem, "origin": origin, "precision": request.precision})
    return ModelSpec.model_validate(named.model_dump())


def _write(request: Request, model: onnx.ModelProto, spec: ModelSpec, target: Path, stages: Stages) -> tuple[Path, ...]:
    with stages("write") as tell:
        bundle = write_bundle(model, spec, target.with_suffix(".onnx"))
        tell(str(bundle.path))
    return (bundle.path, sidecar_of(bundle.path))


def _unpack_engine(request: Request, source: SourceNetwork, plan: bytes, target: Path, stages: Stages) -> Conversion:
    if request.to != "engine":
        raise ConfigError(
            f"{source.path} holds a finished TensorRT engine, from which no network can be had back",
            hint="--to engine takes it out; convert the original checkpoint for anything else",
        )
    spec = source.spec.model_copy(update={"name": target.stem})
    with stages("write") as tell:
        bundle = write_network(plan, spec, target)
        tell(str(bundle.path))
    return Conversion(source.description, spec, (), (target, sidecar_of(target)), stages.seconds, len(plan))
