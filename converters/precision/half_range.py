"""Which nodes of a network half numbers cannot carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from converters.precision.plain_graph import FLOAT, FLOAT16, element_types, opset
from converters.precision.ranges import Range

LARGEST = 65504.0  # of the half numbers
SMALLEST_NORMAL = 2.0**-14  # below it half numbers lose their digits one by one

# Other pictures reach further than the calibration's: four times as far, and squares of them sixteen times.
_MARGIN = 4.0
_LIMIT = LARGEST / _MARGIN
_SQUARE_LIMIT = LARGEST / _MARGIN**2

# Half numbers count without gaps up to here.
_LARGEST_EXACT_INTEGER = 2048

BOUNDED = ("Clip", "Min", "Max")  # a bound beyond half's range bounds nothing: it may be cut to it
_NORMS = frozenset(
    {
        "GroupNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "LogSoftmax",
        "LpNormalization",
        "MeanVarianceNormalization",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "RMSNormalization",
    }
)
_SUMMING = ("ReduceMean", "GlobalAveragePool", "AveragePool")  # whose output hides the sum it came from
_DIVIDING = {"Div": 1, "Reciprocal": 0, "Log": 0}  # operator -> the operand that must not vanish
_AFTER_EPSILON = ("Sqrt", "Pow", "Div", "Reciprocal", "Log")
_TYPELESS = ("ConstantOfShape", "RandomNormal", "RandomUniform", "EyeLike", "Multinomial", "Bernoulli")
_SMALL_INTEGERS = (int(TensorProto.UINT8), int(TensorProto.INT8), int(TensorProto.BOOL))
_ENDS_EXACTNESS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def beyond_half(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> dict[str, str]:
    """Return the names of the nodes of a ``plain`` model that must stay in float32, each with the reason.

    A node stays when a tensor it reads or makes, a sum inside it, or a constant of it leaves the safe range of half
    numbers; so do the square root and division that follow a tiny epsilon, the normalising operators, operators that
    have no half variant, and arithmetic on integers too large for half to count.
    """
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == FLOAT}
    types = element_types(model)
    exact: set[str] = set()
    after_epsilon: set[str] = set()
    reasons: dict[str, str] = {}
    for node in model.graph.node:
        floats = [name for name in (*node.input, *node.output) if name in ranges]
        constants = [weights[name] for name in node.input if name in weights]
        # Both are asked of every node, whatever else keeps it, since what follows it depends on the answer.
        epsilon = _tiny_constant(constants)
        integers = _large_integers(node, types, ranges, exact)
        reason = (
            _without_half(node, types, opset(model))
            or _wide(floats, ranges)
            or _hidden_sum(node, ranges)
            or _constant_out_of_range(node, constants)
            or epsilon
            or _vanishing_divisor(node, ranges)
            or ("follows a tiny constant" if node.op_type in _AFTER_EPSILON and after_epsilon & {*node.input} else "")
            or integers
        )
        if reason:
            reasons[node.name] = reason
        if epsilon:
            after_epsilon.update(node.output)
    return reasons


def input_takes_half(node: onnx.NodeProto, index: int, version: int) -> bool:
    """Return whether the operator of ``node`` accepts half numbers as its input ``index``."""
    schema = _schema(node, version)
    if schema is None:
        return False
    return _takes_half(schema, schema.inputs[min(index, len(schema.inputs) - 1)].type_str)


def _without_half(node: onnx.NodeProto, types: Mapping[str, int], version: int) -> str:
    schema = _schema(node, version)
    if schema is None:
        return f"{node.op_type} is no operator of ONNX itself"
    if node.op_type in _TYPELESS or node.op_type in _NORMS:
        return f"{node.op_type} is computed in float32"
    for i, name in enumerate(node.output):
        type_str = schema.outputs[min(i, len(schema.outputs) - 1)].type_str
        if name and types.get(name) == FLOAT and not _takes_half(schema, type_str):
            return f"{node.op_type} has no half variant"
    return ""


def _schema(node: onnx.NodeProto, version: int) -> onnx.defs.OpSchema | None:
    if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
        return None
    return onnx.defs.get_schema(node.op_type, version)


def _takes_half(schema: onnx.defs.OpSchema, type_str: str) -> bool:
    return any(
        c.type_param_str == type_str and "tensor(float16)" in c.allowed_type_strs for c in schema.type_constraints
    )


def _wide(names: Iterable[str], ranges: Mapping[str, Range]) -> str:
    for name in names:
        peak = ranges[name].peak
        if not peak <= _LIMIT:
            return f"{name} reaches {peak:.3g}"
        if 0 < peak < SMALLEST_NORMAL:
            return f"{name} stays below {peak:.3g}"
    return ""


def _hidden_sum(node: onnx.NodeProto, ranges: Mapping[str, Range]) -> str:
    """Return a reason if a number inside the node, or a square whose margin is wider, leaves the range."""
    if not node.output or node.output[0] not in ranges:
        return ""
    result = ranges[node.output[0]]
    squares = node.op_type in ("Pow", "ReduceSumSquare") or (node.op_type == "Mul" and node.input[0] == node.input[1])
    if squares and result.peak > _SQUARE_LIMIT:
        return f"its squares reach {result.peak:.3g}"
    if node.op_type == "ReduceL2" and result.peak**2 > _SQUARE_LIMIT:
        return f"its sum of squares reaches {result.peak**2:.3g}"
    if node.op_type in _SUMMING and node.input[0] in ranges and result.size:
        total = result.peak * ranges[node.input[0]].size / result.size
        if total > _LIMIT:
            return f"its sum reaches {total:.3g}"
    return ""


def _constant_out_of_range(node: onnx.NodeProto, constants: Iterable[NDArray[np.float32]]) -> str:
    if node.op_type in BOUNDED:
        return ""
    largest = max((float(np.abs(constant).max(initial=0)) for constant in constants), default=0.0)
    return f"a constant is {largest:.3g}" if largest > LARGEST else ""


def _tiny_constant(constants: Iterable[NDArray[np.float32]]) -> str:
    for constant in constants:
        largest = float(np.abs(constant).max(initial=0))
        if 0 < largest < SMALLEST_NORMAL:
            return f"a constant is {largest:.3g}"
    return ""


def _vanishing_divisor(node: onnx.NodeProto, ranges: Mapping[str, Range]) -> str:
    operand = _DIVIDING.get(node.op_type)
    if operand is None or node.input[operand] not in ranges:
        return ""
    least = ranges[node.input[operand]].least
    return f"its divisor goes down to {least:.3g}" if least < SMALLEST_NORMAL * _MARGIN else ""


def _large_integers(
    node: onnx.NodeProto, types: Mapping[str, int], ranges: Mapping[str, Range], exact: set[str]
) -> str:
    """Return a reason if the node handles integers that half numbers would round; note its outputs in ``exact``."""
    made = [name for name in node.output if types.get(name) == FLOAT]
    if node.op_type in _ENDS_EXACTNESS or not made:
        return ""
    from_integers = node.op_type == "Cast" and types.get(node.input[0], FLOAT) not in (*_SMALL_INTEGERS, FLOAT, FLOAT16)
    if not from_integers and exact.isdisjoint(node.input):
        return ""
    exact.update(made)
    peak = max((ranges[name].peak for name in made if name in ranges), default=0.0)
    return f"computes with integers up to {peak:.3g}"
