"""Constants that are added to a convolution's output, folded into its bias."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper

from converters.precision.plain_graph import drop_unused


def fold_bias(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a ``plain`` model whose convolutions add the constants per channel that an Add behind them added.

    Paddle's exporter writes a batch normalisation so. What the convolution gives before the Add may lie far from zero
    and lose its digits in half numbers; inside the convolution the sum is of float32. The input model is not changed.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    makers = {output: node for node in graph.node for output in node.output}
    gone = []
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for made, added in (node.input, reversed(node.input)):
            convolution = makers.get(made)
            if convolution is None or convolution.op_type != "Conv" or readers[made] != 1 or added not in weights:
                continue
            addend = numpy_helper.to_array(weights[added])
            if addend.ndim < 3 or addend.size != addend.shape[-3] or not _has_room(convolution, weights):
                continue
            _add_bias(graph, convolution, addend.ravel(), weights)
            convolution.output[0] = node.output[0]
            makers[node.output[0]] = convolution
            gone.append(node)
            break
    for node in gone:
        graph.node.remove(node)
    drop_unused(graph)
    return folded


def _has_room(convolution: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    return len(convolution.input) < 3 or convolution.input[2] in weights


def _add_bias(
    graph: onnx.GraphProto, convolution: onnx.NodeProto, addend: np.ndarray, weights: dict[str, onnx.TensorProto]
) -> None:
    bias = addend
    if len(convolution.input) > 2:
        bias = numpy_helper.to_array(weights[convolution.input.pop()]) + addend
    name = f"{convolution.output[0]}_folded_bias"
    graph.initializer.append(numpy_helper.from_array(bias.astype(addend.dtype), name))
    weights[name] = graph.initializer[-1]
    convolution.input.append(name)
