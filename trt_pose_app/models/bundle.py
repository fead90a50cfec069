"""A bundle: one network file and the spec that says how to use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trt_pose_app.errors import ChecksumError, ModelNotFoundError, ModelSpecError
from trt_pose_app.models.checksum import sha256_of
from trt_pose_app.models.onnx_metadata import read_metadata
from trt_pose_app.models.spec import METADATA_KEY, ModelSpec

NETWORK_SUFFIXES = (".onnx", ".engine")


@dataclass(frozen=True, slots=True)
class Bundle:
    """One network file with its spec."""

    spec: ModelSpec
    path: Path

    @property
    def sha256(self) -> str:
        """The SHA-256 of the network file; it is hashed once per change of the file."""
        return sha256_of(self.path)

    @property
    def label(self) -> str:
        """``name@sha256[:8]``, as messages name the model."""
        return f"{self.spec.name}@{self.sha256[:8]}"

    def verify(self) -> None:
        """Check an ONNX file against the spec's sha256, if it gives one. Raises ChecksumError."""
        expected = self.spec.origin.sha256
        # An engine is built on the board from the .onnx that the spec means.
        if self.path.suffix == ".onnx" and expected is not None and self.sha256 != expected:
            raise ChecksumError(
                f"{self.path} has the sha256 {self.sha256}, its spec says {expected}",
                hint="fetch the file again, or correct the spec if the file was changed on purpose",
            )


def read_bundle(path: Path, spec: Path | None = None) -> Bundle:
    """Return the network file ``path`` with its spec.

    The spec is, in this order: the file ``spec``; the sidecar ``name.toml`` beside ``name.onnx``; the metadata inside
    the ONNX file. Raises ModelNotFoundError without the network file, ModelSpecError when no spec is found or it is
    wrong: nothing about a network is guessed.
    """
    if not path.is_file():
        raise ModelNotFoundError(f"there is no network file {path}", hint="check the path; see `trt-pose models list`")
    if path.suffix not in NETWORK_SUFFIXES:
        hint = f"a network file ends in {' or '.join(NETWORK_SUFFIXES)}"
        if path.suffix in (".pth", ".pt", ".pkl", ".zip"):
            hint += f"; {convert_first(path)}"
        raise ModelSpecError(f"{path} is not a network file", hint=hint)
    if spec is not None:
        return Bundle(ModelSpec.read(spec), path)
    if sidecar_of(path).is_file():
        return Bundle(ModelSpec.read(sidecar_of(path)), path)
    if path.suffix == ".onnx" and (text := read_metadata(path).get(METADATA_KEY)) is not None:
        return Bundle(ModelSpec.from_json(text, str(path)), path)
    raise MissingSpecError(
        f"nothing says how to use {path}: no {sidecar_of(path).name} beside it and no spec inside",
        hint="write a spec as docs/models.md shows, and put it beside the network or name it with --spec FILE",
    )


def convert_first(source: Path | str) -> str:
    """Return the hint for a checkpoint where a network is wanted; ``source`` is its path or its model's name."""
    return f"make one with `trt-pose convert {source}`"


def sidecar_of(path: Path) -> Path:
    """Return where the spec of the network file ``path`` lies beside it."""
    return path.with_suffix(".toml")


class MissingSpecError(ModelSpecError):
    """No spec at all, as opposed to a wrong one."""
