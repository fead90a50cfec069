"""A model repository for NVIDIA Triton: what the server needs to load a bundle, and a client to use it.

::

    FOLDER/NAME/config.pbtxt     tensors, batching, warm-up; the spec as the parameter trt_pose_spec
    FOLDER/NAME/1/model.onnx     or model.plan, a TensorRT engine, which must run on this very machine
    FOLDER/NAME/1/model.toml     the spec
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from converters.bundle_writer import write_bundle, write_network
from converters.triton_config import DATA_TYPES, TritonConfig
from converters.written_precision import tensors_of
from trt_pose_app.engines.cache import EngineRecord
from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.spec import InputSpec, ModelSpec
from trt_pose_app.types import TensorSpec

SPEC_PARAMETER = "trt_pose_spec"
LABEL_PARAMETER = "trt_pose_label"


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonOptions:
    """``max_batch``: how many pictures Triton may join; an engine's profile bounds it. ``instances``: runs at a time.

    Raises ConfigError for values that make no sense.
    """

    max_batch: int = 8
    instances: int = 1
    device: Literal["gpu", "cpu"] = "gpu"

    def __post_init__(self) -> None:
        if self.max_batch < 1 or self.instances < 1:
            raise ConfigError("max_batch and instances start at 1", hint="docs/triton.md explains both")


def write_triton_repository(bundle: Bundle, folder: Path, options: TritonOptions | None = None) -> Path:
    """Write ``folder``/NAME for the bundle, in place of what is there, and return it. It appears whole or not at all.

    Raises ConfigError, and ModelSpecError where the shapes of the network's tensors are not known.
    """
    options = options or TritonOptions()
    config = triton_config(bundle, options)
    target = folder / bundle.spec.name
    plan = bundle.path.suffix == ".engine"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=folder))
        made.chmod(0o755)
        try:
            (made / "config.pbtxt").write_text(config.text(), encoding="utf-8")
            write_network(bundle.path.read_bytes(), bundle.spec, made / "1" / ("model.plan" if plan else "model.onnx"))
            if target.exists():
                old = made / "old"
                target.rename(old)
                shutil.rmtree(old)
            made.rename(target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}", hint="choose another folder with -o") from error
    return target


def write_repository(
    model: onnx.ModelProto, spec: ModelSpec, target: Path, options: TritonOptions | None = None
) -> tuple[Path, ...]:
    """Write the model's folder ``target``, which gives it its name, for a network in memory; return its files."""
    with tempfile.TemporaryDirectory(prefix="trt-pose-triton-") as folder:
        named = spec.model_copy(update={"name": target.name})
        written = write_triton_repository(
            write_bundle(model, named, Path(folder) / f"{target.name}.onnx"), target.parent, options
        )
    return tuple(sorted(path for path in written.rglob("*") if path.is_file()))


def triton_config(bundle: Bundle, options: TritonOptions) -> TritonConfig:
    """Return the configuration of a bundle. Raises as ``write_triton_repository`` does."""
    plan = bundle.path.suffix == ".engine"
    if plan and options.device == "cpu":
        raise ConfigError(f"{bundle.path} runs on a GPU only", hint="take the .onnx for a server without a GPU")
    record = _record(bundle) if plan else None
    inputs, outputs = (record.inputs, record.outputs) if record else tensors_of(onnx.load(bundle.path))
    spec = bundle.spec
    if [tensor.name for tensor in inputs] != [spec.input.name]:
        raise ModelSpecError(
            f"{bundle.path} has the inputs {', '.join(t.name for t in inputs)}, its spec says {spec.input.name}",
            hint="correct the spec's [input] table",
        )
    for tensor in (*inputs, *outputs):
        if not tensor.shape or tensor.dtype not in DATA_TYPES:
            raise ModelSpecError(
                f"the shape of {tensor.name!r} in {bundle.path} is not known",
                hint="`trt-pose convert` writes all shapes",
            )
    max_batch = options.max_batch
    preferred: tuple[int, ...] = ()
    if any(tensor.shape[0] != -1 for tensor in (*inputs, *outputs)):
        max_batch = 0
    elif record is not None:
        _, best, greatest = (shape[0] for shape in record.profile[spec.input.name])
        max_batch = min(max_batch, greatest)
        preferred = (best,) if 1 < best <= max_batch else ()
    return TritonConfig(
        name=spec.name,
        platform="tensorrt_plan" if plan else "onnxruntime_onnx",
        inputs=inputs,
        outputs=outputs,
        max_batch=max_batch,
        warm_up=sorted({1, max_batch or 1}),
        warm_up_shape=_concrete(inputs[0], spec.input)[1 if max_batch else 0 :],
        instances=options.instances,
        kind=f"KIND_{options.device.upper()}",
        preferred=preferred,
        parameters={SPEC_PARAMETER: spec.to_json(), LABEL_PARAMETER: bundle.label},
    )


def _record(bundle: Bundle) -> EngineRecord:
    record = EngineRecord.read(bundle.path)
    if record is None:
        raise ModelSpecError(
            f"nothing says what shapes {bundle.path} has", hint="build it with `trt-pose convert --to engine`"
        )
    return record


def _concrete(tensor: TensorSpec, spec: InputSpec) -> tuple[int, ...]:
    """Return the input's shape with the spec's size where the network leaves it free, and a batch of 1."""
    sides = (3, spec.height, spec.width) if spec.layout == "nchw" else (spec.height, spec.width, 3)
    return tuple(own if own > 0 else given for own, given in zip(tensor.shape, (1, *sides)))
