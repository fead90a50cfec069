"""Where a conversion goes and under which name."""

from __future__ import annotations

import re
from pathlib import Path

from converters.request import Request
from converters.source_network import SourceNetwork
from trt_pose_app.config.pattern import NAME
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.bundle import MissingSpecError, read_bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import cache_directory

_FILES = (".onnx", ".engine", ".toml", ".pth", ".pt", ".zip")


def target_of(request: Request, source: SourceNetwork) -> Path:
    """Return the file to write, or for a Triton repository its folder of the model.

    Raises ConfigError for a name that is none, that contradicts the file asked for, or that is the source's own.
    """
    suffix = {"onnx": ".onnx", "engine": ".engine", "triton": ""}[request.to]
    output = request.output or cache_directory()
    if request.output is None and request.to == "triton":
        raise ConfigError("a Triton repository needs a folder", hint="name it with -o")
    name = output.stem if suffix and output.suffix == suffix else request.name or default_name(request, source.spec)
    if not re.fullmatch(NAME, name):
        raise ConfigError(f"{name!r} is no name of a model", hint="use letters, digits, '.', '_' and '-'")
    if suffix and output.suffix == suffix:
        if request.name is not None and request.name != output.stem:
            raise ConfigError(f"--name {request.name} and -o {output} differ", hint="leave out one of them")
        target = output
    elif output.suffix in _FILES:
        wanted = f"end -o in {suffix} or name a folder" if suffix else "name a folder"
        raise ConfigError(f"--to {request.to} writes no {output.suffix} file", hint=wanted)
    else:
        target = output / f"{name}{suffix}"
    changed = request.precision != "fp32" or request.uint8_input or request.fuse_peaks or request.batch or request.size
    named_anew = request.output or request.name or request.spec
    if request.to == "onnx" and not (changed or named_anew) and _is_bundle(source.path):
        # A copy in the cache would stand before the model of that name ever after.
        raise ConfigError(
            f"{source.path} is an ONNX network already",
            hint="say what to change (--precision, --input, --fuse-peaks, --input-size, --to), or give it a --name",
        )
    # An engine stands beside its network, which may be the very one that was given.
    for written in (target, target.with_suffix(".onnx")) if suffix and (changed or request.to == "onnx") else ():
        if written.exists() and written.samefile(source.path):
            raise ConfigError(f"{written} would be written over itself", hint="give another name with --name or -o")
    return target


def _is_bundle(path: Path) -> bool:
    if path.suffix != ".onnx":
        return False
    try:
        read_bundle(path)
    except MissingSpecError:
        return False
    return True


def default_name(request: Request, spec: ModelSpec) -> str:
    """Return the source's name and what was done to it, such as ``resnet18_baseline_att-int8-uint8``."""
    parts = [spec.name]
    if request.precision != "fp32":
        parts.append(request.precision)
    if request.uint8_input:
        parts.append("uint8")
    if request.fuse_peaks:
        parts.append("fused")
    if request.size:
        parts.append(f"{request.size[1]}x{request.size[0]}")
    if request.batch:
        parts.append(f"b{request.batch}")
    return "-".join(parts)


def named(spec: ModelSpec, name: str, source: SourceNetwork) -> ModelSpec:
    """Return the spec under its new name. Addresses and checksum were the source's and go."""
    note = f"converted from {source.path.name}"
    note = f"{spec.origin.note}; {note}" if spec.origin.note else note
    origin = spec.origin.model_copy(update={"sha256": None, "urls": (), "note": note})
    return ModelSpec.model_validate(spec.model_copy(update={"name": name, "origin": origin}).model_dump())
