"""The number formats that an ONNX graph is written in."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from trt_pose_app.types import TensorSpec

# Operators that move numbers about and compute none: forcing a precision on them gains nothing.
_MOVES = {"Cast", "Concat", "Constant", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice"}
_MOVES |= {"Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "QuantizeLinear", "DequantizeLinear"}


@dataclass(frozen=True, slots=True)
class WrittenPrecision:
    """``half``: float16 occurs; ``quantised``: QuantizeLinear does. ``single`` names the nodes that compute in float32
    in a graph that has float16 as well; nodes without a name cannot be told apart and are left out."""

    half: bool
    quantised: bool
    single: frozenset[str]


def written_precision(model: onnx.ModelProto) -> WrittenPrecision:
    """Return which formats ``model`` computes in."""
    graph = model.graph
    quantised = any(node.op_type == "QuantizeLinear" for node in graph.node)
    types = {weight.name: weight.data_type for weight in graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(model).graph
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        types[value.name] = value.type.tensor_type.elem_type
    half = onnx.TensorProto.FLOAT16 in types.values()
    single = frozenset(
        node.name
        for node in graph.node
        if half and node.name and node.op_type not in _MOVES and types.get(node.output[0]) == onnx.TensorProto.FLOAT
    )
    return WrittenPrecision(half, quantised, single)


def tensors_of(model: onnx.ModelProto) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs of ``model``; a side without a number is -1."""
    weights = {weight.name for weight in model.graph.initializer}
    inputs = tuple(_tensor(value) for value in model.graph.input if value.name not in weights)
    return inputs, tuple(_tensor(value) for value in model.graph.output)


def _tensor(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    shape = tuple(side.dim_value or -1 for side in tensor.shape.dim)
    return TensorSpec(value.name, shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name)
