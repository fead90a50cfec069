"""ONNX networks of others: read with their limits checked, and held against a spec."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError as ProtobufError

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import ModelSpec

_MAX_BYTES = (1 << 31) - 1  # protobuf's own limit
_HINT = "fetch or export the network again"

Shapes = dict[str, tuple[int, ...]]


def read_onnx(path: Path) -> onnx.ModelProto:
    """Return the network in ``path``. Raises ModelSpecError."""
    try:
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise ModelSpecError(f"{path} has {size} bytes, more than an ONNX file can", hint=_HINT)
        return parse_onnx(path.read_bytes(), str(path))
    except OSError as error:
        raise ModelSpecError(f"cannot read {path}: {error.strerror}", hint="check the path and its rights") from error


def parse_onnx(content: bytes, where: str) -> onnx.ModelProto:
    """Return the network in ``content``; ``where`` names it. Raises ModelSpecError if it is damaged or not whole."""
    try:
        model = onnx.load_from_string(content)
        outside = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
        if outside:
            raise ModelSpecError(
                f"{where} keeps its weights in other files",
                hint="save it as one file: onnx.save_model(model, path, save_as_external_data=False)",
            )
        onnx.checker.check_model(model)
    except (ProtobufError, onnx.checker.ValidationError, ValueError) as error:
        raise ModelSpecError(f"{where} is not an intact ONNX file: {str(error).splitlines()[0]}", hint=_HINT) from error
    return model


def tensor_shapes(model: onnx.ModelProto) -> tuple[Shapes, Shapes]:
    """Return name -> shape of the network's inputs and of its outputs; -1 is a free size."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return (
        {value.name: _shape(value) for value in model.graph.input if value.name not in weights},
        {value.name: _shape(value) for value in model.graph.output},
    )


def check_spec(model: onnx.ModelProto, spec: ModelSpec, where: str) -> None:
    """Raise ModelSpecError where ``spec`` names tensors that the network does not have."""
    inputs, outputs = tensor_shapes(model)
    missing = [repr(spec.input.name)] if spec.input.name not in inputs else []
    missing += [repr(name) for name in spec.outputs.values() if name not in outputs]
    if missing:
        raise ModelSpecError(
            f"{where} has no {', '.join(missing)}, which its spec names: {tensors_in_words(model)}",
            hint="correct [input] name and [outputs] of the spec",
        )


def tensors_in_words(model: onnx.ModelProto) -> str:
    """Return the network's inputs and outputs as a sentence's part."""
    inputs, outputs = tensor_shapes(model)
    told = [", ".join(f"{name} {shape}" for name, shape in tensors.items()) for tensors in (inputs, outputs)]
    return f"it takes {told[0]} and gives {told[1]}"


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    dimensions = value.type.tensor_type.shape.dim
    return tuple(size.dim_value if size.HasField("dim_value") else -1 for size in dimensions)
