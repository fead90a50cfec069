"""A graph in the one form that the passes work on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from trt_pose_app.errors import EngineBuildError


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with a name for every node, constants as initializers, and no shapes of inner tensors.

    Raises EngineBuildError for a graph with branches or loops.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    del graph.value_info[:]  # inferred for one size or one type; both change
    names: set[str] = set()
    for i, node in enumerate(graph.node):
        if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for a in node.attribute):
            raise EngineBuildError(
                f"the network has a branch or loop ({node.op_type} {node.name!r})",
                hint="export it again without control flow; fp32 needs no change of the graph",
            )
        if not node.name or node.name in names:
            node.name = f"{node.op_type}_{i}"
        names.add(node.name)
    constants = [node for node in graph.node if node.op_type == "Constant"]
    for node in constants:
        graph.initializer.append(_constant(node))
        graph.node.remove(node)
    return copy


def _constant(node: onnx.NodeProto) -> onnx.TensorProto:
    attribute = node.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return numpy_helper.from_array(numpy_helper.to_array(value), node.output[0])
    if attribute.name not in ("value_float", "value_floats", "value_int", "value_ints"):
        raise EngineBuildError(f"a constant is given as {attribute.name}", hint="export the network again")
    dtype = np.float32 if attribute.name.startswith("value_float") else np.int64
    return numpy_helper.from_array(np.asarray(value, dtype), node.output[0])


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the TensorProto data type of every tensor by name, as far as ONNX's inference knows it."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*graph.value_info, *graph.input, *graph.output)}
    types.update((tensor.name, tensor.data_type) for tensor in graph.initializer)
    return types


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that the model uses."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def at_least(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """Return the model with ONNX's operators of ``version`` or later. Raises EngineBuildError where that fails."""
    if opset(model) >= version:
        return model
    try:
        return onnx.version_converter.convert_version(model, version)
    except RuntimeError as error:
        raise EngineBuildError(
            f"the network's operators of opset {opset(model)} cannot be brought to {version}: {error}",
            hint=f"export the network again with opset {version} or later",
        ) from error


def expose(model: onnx.ModelProto, tensors: Iterable[tuple[str, int]]) -> onnx.ModelProto:
    """Return a copy that also gives out the named inner tensors, each with its data type."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {output.name for output in copy.graph.output}
    for name, data_type in tensors:
        if name not in present:
            copy.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
            copy.graph.output[-1].type.tensor_type.elem_type = data_type
    return copy


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Make ``nodes``, some of which may be the graph's own, all the nodes of the graph."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the initializers that no node reads and no output is."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    kept = [value for value in graph.input if value.name in used or value.name not in _initial(graph)]
    if len(kept) != len(graph.input):
        del graph.input[:]
        graph.input.extend(kept)


def _initial(graph: onnx.GraphProto) -> set[str]:
    return {tensor.name for tensor in graph.initializer}


FLOAT, FLOAT16 = int(TensorProto.FLOAT), int(TensorProto.FLOAT16)
