"""A converted network on disk: complete or not there at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import onnx

from trt_pose_app.errors import ConfigError, DependencyError
from trt_pose_app.models.bundle import Bundle, sidecar_of
from trt_pose_app.models.spec import METADATA_KEY, ModelSpec


def write_bundle(model: onnx.ModelProto, spec: ModelSpec, target: Path) -> Bundle:
    """Write ``target`` (name.onnx) and its spec, name.toml, and return the bundle with the file's sha256 filled in.

    The spec is inside the ONNX file too, there without the checksum, so that a lone file is complete. Raises as
    ``write_network`` does.
    """
    if target.suffix != ".onnx":
        raise ConfigError(f"{target} does not end in .onnx", hint="name a file such as my-model.onnx")
    inside = _with_sha256(spec, None)
    complete = onnx.ModelProto()
    complete.CopyFrom(model)
    others = {prop.key: prop.value for prop in complete.metadata_props if prop.key != METADATA_KEY}
    onnx.helper.set_model_props(complete, {**others, METADATA_KEY: inside.to_json()})
    content = complete.SerializeToString()
    return write_network(content, _with_sha256(spec, hashlib.sha256(content).hexdigest()), target)


def write_network(content: bytes, spec: ModelSpec, target: Path) -> Bundle:
    """Write a network file of any kind and its spec beside it; each gets its name only once it is whole.

    A crash between the two leaves a network whose new or old spec ``verify`` tells apart.
    Raises ConfigError if the folder cannot be written, DependencyError without tomli-w.
    """
    try:
        import tomli_w
    except ImportError as error:
        raise DependencyError("tomli-w is not installed", hint="pip install 'trt-pose-app[convert]'") from error
    fields = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    sidecar = f"# Written by trt-pose convert for {target.name}.\n{tomli_w.dumps(fields)}".encode()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _Pending(sidecar_of(target), sidecar), _Pending(target, content):
            pass
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}", hint="choose another folder with -o") from error
    return Bundle(spec, target)


class _Pending:
    """A file beside its target that takes the target's name at the end of the block, or vanishes with an error."""

    def __init__(self, target: Path, content: bytes) -> None:
        self._target, self._content = target, content

    def __enter__(self) -> None:
        number, name = tempfile.mkstemp(prefix=f".{self._target.name}.", dir=self._target.parent)
        self._path = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(self._content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self._path.unlink()
            raise
        # mkstemp's file is the owner's alone; a model may be read by all whom the folder lets in.
        self._path.chmod(0o644)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._path.replace(self._target)
        finally:
            self._path.unlink(missing_ok=True)


def _with_sha256(spec: ModelSpec, sha256: str | None) -> ModelSpec:
    return spec.model_copy(update={"origin": spec.origin.model_copy(update={"sha256": sha256})})
