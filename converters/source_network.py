"""What a user names to be converted: a checkpoint, a network file or an installed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError as ProtobufError

from trt_pose_app.errors import ConfigError, DependencyError, ModelSpecError
from trt_pose_app.models import store
from trt_pose_app.models.bundle import MissingSpecError, read_bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.zoo import CHECKPOINT_SUFFIX

if TYPE_CHECKING:
    from torch import nn

_RUN_CHECKPOINT = "last.pt"  # in the folder of a training run


@dataclass(frozen=True, slots=True)
class SourceNetwork:
    """A network to convert: ``network`` (torch, eval mode), ``model`` (ONNX) or ``engine`` (a TensorRT plan)."""

    path: Path
    description: str
    spec: ModelSpec
    network: nn.Module | None = None
    model: onnx.ModelProto | None = None
    engine: bytes | None = None


def open_source_network(
    name: str, *, spec: Path | None = None, task: Path | None = None, search: Sequence[Path] = ()
) -> SourceNetwork:
    """Return the network at the path ``name``, in the run folder ``name``, or installed under that name.

    ``spec`` is the spec of a network without one, ``task`` a trt_pose task file (human_pose.json). Raises ModelError
    for a file that is missing, damaged, unsafe or unknown, ConfigError for an engine, DependencyError without torch.
    """
    path = Path(name).expanduser()
    if path.is_dir() and (path / _RUN_CHECKPOINT).is_file():
        path /= _RUN_CHECKPOINT
    if not path.is_file():
        # Not found under either suffix: `find` says what is near and how to fetch it.
        path = store.locate(name, search, [".onnx", CHECKPOINT_SUFFIX]) or store.find(name, search=search).path
    if path.suffix == ".engine":
        raise ConfigError(f"{path} is a finished engine", hint="convert the network that it was built from")
    if path.suffix == ".onnx":
        try:
            return _from_bundle(path, spec, search)
        except MissingSpecError:
            pass  # one that may be known all the same
    from converters.checkpoints import recognise

    checkpoint = recognise(path, spec=spec, task=task)
    description = checkpoint.describe()
    if (plan := checkpoint.engine()) is not None:
        return SourceNetwork(path, description, plan[1], engine=plan[0])
    if (foreign := checkpoint.onnx()) is not None:
        return SourceNetwork(path, description, foreign[1], model=foreign[0])
    try:
        import torch  # noqa: F401  # the one place that explains a missing extra
    except ImportError as error:
        raise DependencyError(
            "converting a checkpoint needs torch", hint="pip install 'trt-pose-app[convert]'"
        ) from error
    network, built = checkpoint.build()
    return SourceNetwork(path, description, built, network=network)


def _from_bundle(path: Path, spec: Path | None, search: Sequence[Path]) -> SourceNetwork:
    bundle = read_bundle(path, spec) if spec is not None else store.find(str(path.absolute()), search=search)
    bundle.verify()
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (ProtobufError, onnx.checker.ValidationError, OSError) as error:
        raise ModelSpecError(
            f"{path} is no intact ONNX file: {str(error).splitlines()[0]}", hint="fetch or export it again"
        ) from error
    produced = {value.name for value in (*model.graph.input, *model.graph.output)}
    if missing := sorted({bundle.spec.input.name, *bundle.spec.outputs.values()} - produced):
        raise ModelSpecError(
            f"{path} has no tensor {', '.join(missing)}, which its spec names; it has {', '.join(sorted(produced))}",
            hint="correct [input] name and [outputs] of the spec",
        )
    return SourceNetwork(path, f"{bundle.spec.kind} network {bundle.label}", bundle.spec, model=model)
