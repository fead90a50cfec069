"""A TensorRT engine for this machine, from an ONNX bundle.

Precision is what the ONNX says: TensorRT 10 and later build strongly typed; 8.6, and the DLA of 10, which know no such
networks, get the flags that allow what is written and the order to keep float32 where it is written. Not verified on
hardware: docs/tensorrt.md says what was checked and how.
"""

from __future__ import annotations

import logging
import re
import shlex
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from converters.bundle_writer import write_network
from converters.engine_log import EngineLog, Told, progress_monitor
from converters.engine_options import EngineOptions
from converters.free_memory import warn_if_short
from converters.written_precision import WrittenPrecision, tensors_of, written_precision
from trt_pose_app.engines.cache import EngineRecord
from trt_pose_app.engines.cudart import CudaRuntime, Gpu
from trt_pose_app.engines.tensorrt_plan import import_tensorrt, listen, start_runtime
from trt_pose_app.errors import ConfigError, DependencyError, EngineBuildError, EngineStaleError
from trt_pose_app.models.bundle import Bundle, read_bundle, sidecar_of

log = logging.getLogger(__name__)

_MEMORY = re.compile(r"out ?of ?memory|cuda ?error:? 2\b|insufficient memory|failed to allocate", re.IGNORECASE)
_WORKSPACE = re.compile(r"could not find any implementation|(?:insufficient|increasing) workspace", re.IGNORECASE)
_OPERATOR = re.compile(r"no importer registered|unsupported.?node|plugin not found|not supported", re.IGNORECASE)


def build_engine(
    source: Bundle,
    target: Path,
    options: EngineOptions | None = None,
    *,
    reuse: bool = False,
    command: str | None = None,
    tell: Told = log.info,
    cuda: CudaRuntime | None = None,
) -> Bundle:
    """Build the ONNX bundle ``source`` into ``target`` (name.engine), with its spec and build record beside it.

    ``reuse`` keeps an engine that is there and still fits this TensorRT, GPU, ONNX and these options: ask for it to
    have engines rebuilt exactly when needed. ``command`` is what the user called, for the record. ``tell`` takes lines
    of progress; a build takes minutes on a board. Nothing is written when it fails. Raises DependencyError without
    TensorRT, polygraphy or a GPU, ConfigError for options that do not suit the network, EngineBuildError.
    """
    options = options or EngineOptions()
    if target.suffix != ".engine" or source.path.suffix != ".onnx":
        raise ConfigError(f"cannot build {source.path} into {target}", hint="from a name.onnx to a name.engine")
    tensorrt, gpu = require_builder(cuda)
    model = onnx.load(source.path)
    inputs, outputs = tensors_of(model)
    size = (source.spec.input.width, source.spec.input.height)
    record = EngineRecord(
        tensorrt=tensorrt.__version__,
        gpu=gpu.name,
        sm=gpu.sm,
        source=source.path.name,
        source_sha256=source.sha256,
        profile=options.profile(inputs, source.spec.input.layout, size),
        options=options.recorded(),
        inputs=inputs,
        outputs=outputs,
        command=command or _command(source.path, target, options),
    )
    if reuse and _still_fits(target, record):
        tell(f"{target} still fits")
        return read_bundle(target)
    warn_if_short(source.path.stat().st_size, options.workspace_mib)
    written = written_precision(model)
    del model
    start = time.monotonic()
    content = _compile(tensorrt, source.path, record, written, options, tell)
    tell(f"built for {gpu.name} in {time.monotonic() - start:.0f} s, {len(content) / 1e6:.1f} MB")
    # An old engine must not stand beside a new record.
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    record.write(target)
    return write_network(content, source.spec, target)


def require_builder(cuda: CudaRuntime | None = None) -> tuple[ModuleType, Gpu]:
    """Return TensorRT and the GPU that it would build for: asked first, before work is done that leads nowhere.

    Raises DependencyError without TensorRT, polygraphy or a GPU.
    """
    tensorrt = import_tensorrt()
    if find_spec("polygraphy") is None:
        raise DependencyError("polygraphy is not installed", hint="pip install 'trt-pose-app[tensorrt]'")
    gpu = (cuda or CudaRuntime()).gpu()
    start_runtime(tensorrt, listen(tensorrt))  # a Builder that cannot use the GPU would crash instead of saying so
    return tensorrt, gpu


def _command(source: Path, target: Path, options: EngineOptions) -> str:
    words = ["trt-pose", "convert", str(source), "--to", "engine", "-o", str(target)]
    if options.workspace_mib is not None:
        words += ["--workspace-mib", str(options.workspace_mib)]
    if options.dla_core is not None:
        words += ["--dla-core", str(options.dla_core)]
    return shlex.join(words)


def _compile(
    tensorrt: ModuleType,
    path: Path,
    record: EngineRecord,
    written: WrittenPrecision,
    options: EngineOptions,
    tell: Told,
) -> bytes:
    from polygraphy.backend.trt import EngineBytesFromNetwork, NetworkFromOnnxPath, PostprocessNetwork
    from polygraphy.exception import PolygraphyException

    major = int(tensorrt.__version__.split(".")[0])
    # The DLA of TensorRT 10 wants flags; TensorRT 11 has none left.
    typed = major >= 11 or (major == 10 and options.dla_core is None)
    monitor = progress_monitor(tensorrt, tell)
    if monitor is None:
        tell(f"TensorRT {tensorrt.__version__} tells no progress; this takes minutes")
    if options.timing_cache is not None:
        options.timing_cache.parent.mkdir(parents=True, exist_ok=True)
    with EngineLog() as heard:
        try:
            network: Any = NetworkFromOnnxPath(str(path), strongly_typed=typed)
            if not typed and written.single:
                keep = partial(_keep_single, tensorrt, written)
                network = PostprocessNetwork(network, keep, "keep float32")
            config = _config(tensorrt, record, written, options, typed, monitor)
            cache = None if options.timing_cache is None else str(options.timing_cache)
            return bytes(EngineBytesFromNetwork(network, config, save_timing_cache=cache)())
        except (PolygraphyException, RuntimeError, TypeError, AttributeError) as error:
            if monitor is not None and monitor.interrupted:
                raise KeyboardInterrupt from None
            raise _failure(path, heard.errors or [str(error)]) from error


def _config(
    tensorrt: ModuleType,
    record: EngineRecord,
    written: WrittenPrecision,
    options: EngineOptions,
    typed: bool,
    monitor: Any,
) -> Any:
    """Return polygraphy's builder configuration."""
    from polygraphy.backend.trt import CreateConfig, PostprocessConfig, Profile

    on_dla = options.dla_core is not None
    if on_dla and not (written.half or written.quantised):
        raise ConfigError(
            f"{record.source} is float32, which the DLA cannot compute", hint="convert with --precision fp16 or int8"
        )
    profile = Profile()
    for name, (least, best, greatest) in record.profile.items():
        profile.add(name, min=least, opt=best, max=greatest)
    chosen: dict[str, Any] = {}
    if not typed:
        chosen.update(fp16=written.half, int8=written.quantised)
        if written.single and not on_dla:  # polygraphy itself sets "prefer" for the DLA, which excludes "obey"
            chosen["precision_constraints"] = "obey"
    if options.workspace_mib is not None:
        chosen["memory_pool_limits"] = {tensorrt.MemoryPoolType.WORKSPACE: options.workspace_mib * 2**20}
    if on_dla:
        chosen.update(use_dla=True, allow_gpu_fallback=True)
    if options.level is not None:
        chosen["builder_optimization_level"] = options.level
    if options.timing_cache is not None and options.timing_cache.is_file():
        chosen["load_timing_cache"] = str(options.timing_cache)
    if monitor is not None:
        chosen["progress_monitor"] = monitor
    config = CreateConfig(profiles=[profile], **chosen)
    if not options.dla_core:  # polygraphy takes core 0
        return config

    def take_core(builder: Any, network: Any, config: Any) -> None:
        config.DLA_core = options.dla_core

    return PostprocessConfig(config, take_core)


def _keep_single(tensorrt: ModuleType, written: WrittenPrecision, network: Any) -> None:
    """Ask for float32 in the layers that come from float32 nodes."""
    for layer in network:
        if layer.name in written.single:
            layer.precision = tensorrt.float32
            layer.set_output_type(0, tensorrt.float32)


def _still_fits(target: Path, wanted: EngineRecord) -> bool:
    if not (target.is_file() and sidecar_of(target).is_file()):
        return False
    try:
        found = EngineRecord.read(target)
    except EngineStaleError:
        return False
    return found is not None and found.key == wanted.key


def _failure(path: Path, errors: list[str]) -> EngineBuildError:
    told = " ".join(errors)
    first = errors[0].splitlines()[0] if errors[0] else "it gives no reason"
    hint = "`trt-pose doctor` checks TensorRT; another opset or a newer JetPack may know the network"
    if _MEMORY.search(told):
        hint = "memory ran out: close other programs, add swap (docs/tensorrt.md), lower the workspace limit"
    elif _WORKSPACE.search(told):
        hint = "a layer got too little scratch memory: raise the workspace limit or leave it out"
    elif _OPERATOR.search(told):
        hint = "this TensorRT lacks an operator of the network: export with a lower opset, or use a newer JetPack"
    return EngineBuildError(f"TensorRT cannot build {path}: {first}", hint=hint)
