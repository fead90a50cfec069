"""One conversion from end to end: checkpoint to a bundle, engine or repository that is known to compute the same."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import onnx

from converters.budget import Budget, budget_for
from converters.bundle_writer import write_bundle, write_network
from converters.engine_options import EngineOptions
from converters.export import OPSET, export_onnx
from converters.frames import Picture, calibration_frames
from converters.parity import compare_sides
from converters.parity_ap import AnnotatedPhotos
from converters.parity_report import ParityReport
from converters.parity_side import Side
from converters.people_finder import crops_of_people
from converters.precision import emulate_half, kept_layers, to_fp16, to_int8
from converters.preprocess_graph import fold_preprocessing
from converters.request import Conversion, Request
from converters.shapes import fix_shapes, resized
from converters.source_network import SourceNetwork, open_source_network
from converters.stages import Stages
from converters.target import named, target_of
from converters.tensorrt import build_engine
from converters.torch_engine import TorchEngine
from converters.triton_repository import write_triton_repository
from trt_pose_app.engines.cudart import CudaRuntime
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.engines.tensorrt import TensorRtEngine
from trt_pose_app.engines.tensorrt_plan import import_tensorrt
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.bundle import read_bundle, sidecar_of
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import cache_directory

_FRAMES = {"fp32": 8, "fp16": 8, "int8": 64}  # int8 learns its ranges from them
_EXPORT_FRAMES = 4  # a mistake of the exporter shows in any
_TOP_DOWN_BATCH = (1, 4, 16)  # people in a picture: least, usual, greatest


def convert(request: Request, stages: Stages, *, search: Sequence[Path] = ()) -> Conversion:
    """Convert, compare and write. Nothing is written when a comparison breaks its budget, unless forced.

    ``search`` are the model directories in which names are looked up. Raises ConfigError, ModelError,
    DependencyError, EngineError.
    """
    with stages("read") as tell:
        source = open_source_network(request.source, spec=request.spec, task=request.task, search=search)
        tell(source.description)
    budget = budget_for(request.precision, request.budget, kind=source.spec.kind)
    target = target_of(request, source)
    if source.engine is not None:
        return _unpack_engine(request, source, source.engine, target, stages)
    if request.to == "engine":  # said now rather than after minutes of work
        import_tensorrt()
        CudaRuntime().gpu()
    photos = None if request.annotations is None else AnnotatedPhotos(request.annotations, request.images)
    frames = _frames(request, source.spec, photos, stages, search)
    with ExitStack() as stack:
        scratch = _Scratch(stack, request.threads)
        plain, plain_spec = _as_onnx(request, source, stages)
        model, spec = _changed(request, plain, plain_spec, frames, stages)
        spec = named(spec, target.stem if request.to != "triton" else target.name, source)
        comparison = _Comparison(stages, frames, photos, budget)
        before = scratch.side("float32", plain, plain_spec)
        if source.network is not None:
            checkpoint = Side(source.path.name, plain_spec, TorchEngine(source.network, plain_spec))
            comparison.run("compare export", checkpoint, before, last=model is plain)
        if model is not plain or source.network is None:
            # ONNX Runtime has no half arithmetic on a CPU and would hide every overflow.
            shown = emulate_half(model) if request.precision == "fp16" else model
            comparison.run("compare result", before, scratch.side(spec.name, shown, spec))
        written: tuple[Path, ...] = ()
        if request.force or comparison.passed:
            written = _write(request, model, spec, target, source, stages)
        if written and request.to == "engine":
            bundle = read_bundle(target.with_suffix(".onnx"))
            with stages("build engine") as tell:
                built = build_engine(bundle, target, _engine_options(request, spec), tell=tell)
            device = Side(target.name, built.spec, stack.enter_context(TensorRtEngine(target, built.spec)))
            comparison.run("compare engine", before, device)
            written = (target, *written)
    return Conversion(
        source=source.description,
        spec=spec,
        reports=tuple(comparison.reports),
        written=written,
        seconds=stages.seconds,
        bytes=model.ByteSize(),
        kept=kept_layers(model),
    )


class _Scratch:
    """Networks that run only to be compared."""

    def __init__(self, stack: ExitStack, threads: int) -> None:
        self._stack, self._threads = stack, threads
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trt-pose-convert-")))

    def side(self, label: str, model: onnx.ModelProto, spec: ModelSpec) -> Side:
        path = self._folder / "network.onnx"
        onnx.save(model, path)
        engine = self._stack.enter_context(OnnxRuntimeEngine(path, backend="cpu", threads=self._threads))
        path.unlink()
        return Side(label, spec, engine)


class _Comparison:
    """The comparisons of one conversion. The last one has the request's budget and, if there are any, its photos."""

    def __init__(
        self, stages: Stages, frames: Sequence[Picture], photos: AnnotatedPhotos | None, budget: Budget
    ) -> None:
        self._stages, self._frames, self._photos, self._budget = stages, frames, photos, budget
        self.reports: list[ParityReport] = []

    @property
    def passed(self) -> bool:
        return all(report.passed for report in self.reports)

    def run(self, stage: str, source: Side, result: Side, *, last: bool = True) -> None:
        frames = self._frames if last else self._frames[:_EXPORT_FRAMES]
        with self._stages(stage) as tell:
            report = compare_sides(
                source, result, frames, budget=self._budget if last else None, photos=self._photos if last else None
            )
            worst = max((output.relative_max for output in report.outputs), default=None)
            errors = "" if worst is None else f", largest error {worst:.2g} of the range"
            people = ""
            if report.people is not None:
                found = f"{report.people.found:.1%} of people again"
                people = ", nobody found on either side" if report.people.nobody else f", {found}"
            tell(f"{report.frames} frames{errors}{people}")
        self.reports.append(report)


def _frames(
    request: Request, spec: ModelSpec, photos: AnnotatedPhotos | None, stages: Stages, search: Sequence[Path]
) -> list[Picture]:
    """Return what to calibrate and compare with; a top-down network gets crops of people."""
    count = request.frames or _FRAMES[request.precision]
    if photos is not None and request.calibration is None:
        return photos.frames(spec, count)
    frames = calibration_frames(request.calibration, count)
    if spec.input.resize != "affine-crop":
        return frames
    with stages("find people") as tell:
        crops, sentence = crops_of_people(frames, spec, search=search, threads=request.threads)
        tell(sentence)
    return crops


def _as_onnx(request: Request, source: SourceNetwork, stages: Stages) -> tuple[onnx.ModelProto, ModelSpec]:
    if source.model is not None:
        if request.opset is not None:
            raise ConfigError(f"{source.path} has its opset already", hint="leave out --opset")
        return fix_shapes(source.model, source.spec, batch=request.batch, size=request.size)
    if source.network is None:
        raise ConfigError(f"{source.path} holds no network", hint="give a checkpoint or an ONNX file")
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
    """Return the model after the passes that were asked for; after precision only fused peaks, always in float32."""
    if spec.kind == "paf_fused" and request.precision != "fp32":
        raise ConfigError(
            f"{spec.name} has its peaks fused, and {request.precision} would round their coordinates",
            hint=f"convert the network it was made from with --precision {request.precision} --fuse-peaks",
        )
    if spec.precision == request.precision == "int8":
        raise ConfigError(f"{spec.name} is int8 already", hint="leave out --precision, or convert its float32 source")
    if request.uint8_input:
        with stages("fold preprocessing") as tell:
            model, spec = fold_preprocessing(model, spec)
            tell("uint8 NHWC BGR in")
    if request.precision != "fp32":
        with stages(request.precision) as tell:
            if request.precision == "fp16":
                model, spec = to_fp16(model, spec, frames, progress=stages.progress)
            else:
                model, spec = to_int8(
                    model, spec, frames, method=request.method, search_s=request.search_s, progress=stages.progress
                )
            tell(f"{len(kept_layers(model))} layers in float32, {model.ByteSize() / 1e6:.1f} MB")
    if request.fuse_peaks:
        from converters.fuse import fuse_peaks

        with stages("fuse peaks") as tell:
            model, spec = fuse_peaks(model, spec)
            tell(", ".join(spec.outputs.values()))
    return model, spec


def _write(
    request: Request, model: onnx.ModelProto, spec: ModelSpec, target: Path, source: SourceNetwork, stages: Stages
) -> tuple[Path, ...]:
    with stages("write") as tell:
        tell(str(target))
        if request.to == "triton":
            with tempfile.TemporaryDirectory(prefix="trt-pose-convert-") as folder:
                bundle = write_bundle(model, spec, Path(folder) / f"{spec.name}.onnx")
                return (write_triton_repository(bundle, target.parent),)
        path = target.with_suffix(".onnx")
        if path.exists() and path.samefile(source.path):  # an engine of an installed network
            return (path,)
        write_bundle(model, spec, path)
    return (path, sidecar_of(path))


def _engine_options(request: Request, spec: ModelSpec) -> EngineOptions:
    batch = _TOP_DOWN_BATCH if spec.kind in ("simcc", "heatmap") else (1, 1, 1)
    if request.batch is not None:
        batch = (request.batch, request.batch, request.batch)
    return EngineOptions(
        batch=batch,
        workspace_mib=request.workspace_mib,
        dla_core=request.dla_core,
        timing_cache=cache_directory() / "engines/timing.cache",
    )


def _unpack_engine(request: Request, source: SourceNetwork, plan: bytes, target: Path, stages: Stages) -> Conversion:
    if request.to != "engine":
        raise ConfigError(
            f"{source.path} holds a finished TensorRT engine, from which no network can be had back",
            hint="--to engine takes it out; convert the original checkpoint for anything else",
        )
    spec = source.spec.model_copy(update={"name": target.stem})
    with stages("write") as tell:
        write_network(plan, spec, target)
        tell(str(target))
    return Conversion(source.description, spec, (), (target, sidecar_of(target)), stages.seconds, len(plan))
