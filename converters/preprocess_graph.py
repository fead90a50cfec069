"""Preprocessing moved into the network: it then takes the resized picture as the camera gives it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.models.spec import ModelSpec


def fold_preprocessing(model: onnx.ModelProto, spec: ModelSpec) -> tuple[onnx.ModelProto, ModelSpec]:
    """Return the model with a (N, H, W, 3) uint8 BGR input, and its spec; the input keeps its name.

    Cast, transposition, subtraction of the mean, channel order and division by the deviation happen in the graph.
    Where the first layer is a convolution, the last two go into its weights and cost nothing. That is exact, as the
    zeros that it pads with are the same before and after; the mean has to be subtracted before the padding.
    The input model is not changed. Raises ConfigError for a network that does not take float32 NCHW.
    """
    if (spec.input.dtype, spec.input.layout) != ("float32", "nchw"):
        raise ConfigError(
            f"{spec.name} takes {spec.input.dtype} {spec.input.layout.upper()}: preprocessing can be folded only into "
            "a network that takes float32 NCHW",
            hint="leave out --input, or convert the float32 network",
        )
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    name = spec.input.name
    entry = next((value for value in graph.input if value.name == name), None)
    if entry is None:
        raise ModelSpecError(f"{spec.name} has no input {name!r}", hint="correct [input] name in the spec")
    readers = [node for node in graph.node if name in node.input]
    order = [0, 1, 2] if spec.input.colour == "bgr" else [2, 1, 0]
    mean, std = np.array(spec.input.mean), np.array(spec.input.std)
    into_weights = _first_convolution(graph, readers, name)

    nodes = [
        # TensorRT reads uint8 only through a cast that comes first.
        helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", [f"{name}_float"], [f"{name}_planes"], perm=[0, 3, 1, 2]),
    ]
    constants: list[onnx.TensorProto] = []
    last = f"{name}_planes"

    def then(operator: str, constant: np.ndarray, word: str, **attributes: int) -> None:
        nonlocal last
        constants.append(numpy_helper.from_array(constant, f"{name}_{word}"))
        made = f"{name}_{word}_done"
        nodes.append(helper.make_node(operator, [last, constants[-1].name], [made], **attributes))
        last = made

    if mean.any():
        then("Sub", mean[order].astype(np.float32).reshape(1, 3, 1, 1), "mean")  # the planes are still B, G, R
    if into_weights is not None:
        weight = numpy_helper.to_array(into_weights).astype(np.float64)[:, order] / std[order].reshape(1, 3, 1, 1)
        into_weights.CopyFrom(numpy_helper.from_array(weight.astype(np.float32), into_weights.name))
    else:
        if order != [0, 1, 2]:
            then("Gather", np.array(order, np.int64), "order", axis=1)
        if (std != 1).any():
            then("Mul", (1 / std).astype(np.float32).reshape(1, 3, 1, 1), "scale")
    for node in readers:
        for i, read in enumerate(node.input):
            if read == name:
                node.input[i] = last
    earlier = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *earlier])
    graph.initializer.extend(constants)
    _retype(entry)
    del graph.value_info[:]
    pixels = spec.input.model_copy(
        update={"dtype": "uint8", "layout": "nhwc", "colour": "bgr", "mean": (0.0,) * 3, "std": (1.0,) * 3}
    )
    return folded, ModelSpec.model_validate(spec.model_copy(update={"input": pixels}).model_dump())


def _first_convolution(graph: onnx.GraphProto, readers: list[onnx.NodeProto], name: str) -> onnx.TensorProto | None:
    """Return the weights of the convolution that alone reads the input, or None."""
    if len(readers) != 1 or readers[0].op_type != "Conv" or readers[0].input[0] != name:
        return None
    weight = next((tensor for tensor in graph.initializer if tensor.name == readers[0].input[1]), None)
    shared = sum(readers[0].input[1] in node.input for node in graph.node) > 1
    if weight is None or shared or weight.data_type != TensorProto.FLOAT or weight.dims[1] != 3:
        return None
    return weight


def _retype(entry: onnx.ValueInfoProto) -> None:
    tensor = entry.type.tensor_type
    tensor.elem_type = TensorProto.UINT8
    earlier = onnx.TensorShapeProto()
    earlier.CopyFrom(tensor.shape)
    del tensor.shape.dim[:]
    tensor.shape.dim.extend(earlier.dim[axis] for axis in (0, 2, 3, 1))
