"""A half network as half hardware computes it, on a processor that has no half arithmetic."""

from __future__ import annotations

import onnx
from onnx import helper, numpy_helper

from converters.precision.plain_graph import FLOAT, FLOAT16, element_types, plain, replace_nodes


def emulate_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a float32 network that rounds every half tensor of ``model`` to half, to infinity where it overflows.

    ONNX Runtime's CPU provider has hardly any half operators. It runs such nodes in float32 and drops the casts
    between neighbours, so that a graph that overflows on a GPU gives fine results there. This one does not. Sums
    inside one operator stay in float32, as TensorRT's convolutions have them, but for the sum of squares of ReduceL2.
    """
    emulated = plain(model)
    types = element_types(emulated)
    nodes = []
    for node in emulated.graph.node:
        nodes.append(node)
        for i, name in enumerate(node.output):
            if types.get(name) != FLOAT16:
                continue
            is_cast = node.op_type == "Cast"  # it rounds by itself
            exact, half = f"{name}/exact", f"{name}/half"
            node.output[i] = half if is_cast else exact
            if node.op_type == "ReduceL2":
                nodes += _through_squares(exact)
                exact = nodes[-1].output[0]
            if not is_cast:
                nodes.append(helper.make_node("Cast", [exact], [half], name=f"round {name}", to=FLOAT16))
            nodes.append(helper.make_node("Cast", [half], [name], name=f"widen {name}", to=FLOAT))
    replace_nodes(emulated.graph, nodes)
    for tensor in emulated.graph.initializer:
        if tensor.data_type == FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), tensor.name))
    return emulated


def _through_squares(length: str) -> list[onnx.NodeProto]:
    """Return the nodes that bring a length to half's square of it and back."""
    square, half, rounded, result = (f"{length}/{step}" for step in ("square", "half", "rounded", "result"))
    return [
        helper.make_node("Mul", [length, length], [square], name=square),
        helper.make_node("Cast", [square], [half], name=half, to=FLOAT16),
        helper.make_node("Cast", [half], [rounded], name=rounded, to=FLOAT),
        helper.make_node("Sqrt", [rounded], [result], name=result),
    ]
