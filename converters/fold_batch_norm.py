"""Batch normalisation folded into the convolution before it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper

_EPSILON = 1e-5  # ONNX's default


def fold_batch_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with every BatchNormalization that follows a convolution folded into its weights.

    torch's exporter does so for Conv and leaves those behind a ConvTranspose. One that reads anything else, as in
    DenseNet, stays. The input model is not changed.
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
        if node.op_type != "BatchNormalization" or not all(name in weights for name in node.input[1:5]):
            continue
        before = makers.get(node.input[0])
        if before is None or before.op_type not in ("Conv", "ConvTranspose") or readers[before.output[0]] != 1:
            continue
        if any(name not in weights or readers[name] != 1 for name in before.input[1:]):
            continue
        _fold(graph, before, node, weights)
        gone.append(node)
    for node in gone:
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    return folded


def _fold(
    graph: onnx.GraphProto, convolution: onnx.NodeProto, norm: onnx.NodeProto, weights: dict[str, onnx.TensorProto]
) -> None:
    gamma, beta, mean, variance = (numpy_helper.to_array(weights[name]).astype(np.float64) for name in norm.input[1:5])
    attributes = {attribute.name: attribute for attribute in norm.attribute}
    epsilon = attributes["epsilon"].f if "epsilon" in attributes else _EPSILON
    factor = gamma / np.sqrt(variance + epsilon)
    name = convolution.input[1]
    weight = numpy_helper.to_array(weights[name])
    if convolution.op_type == "Conv":
        scaled = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    else:  # (in, out / groups, ...): the output channels of group g are the slice g of the factors
        groups = next((attribute.i for attribute in convolution.attribute if attribute.name == "group"), 1)
        shape = (groups, weight.shape[0] // groups, *weight.shape[1:])
        by_group = factor.reshape(groups, 1, -1, *[1] * (weight.ndim - 2))
        scaled = (weight.reshape(shape) * by_group).reshape(weight.shape)
    weights[name].CopyFrom(numpy_helper.from_array(scaled.astype(weight.dtype), name))
    if len(convolution.input) > 2:
        bias_name = convolution.input[2]
        bias = numpy_helper.to_array(weights[bias_name]).astype(np.float64)
        weights[bias_name].CopyFrom(
            numpy_helper.from_array(((bias - mean) * factor + beta).astype(weight.dtype), bias_name)
        )
    else:
        bias_name = f"{name}_folded_bias"
        graph.initializer.append(numpy_helper.from_array((beta - mean * factor).astype(weight.dtype), bias_name))
        weights[bias_name] = graph.initializer[-1]
        convolution.input.append(bias_name)
    convolution.output[0] = norm.output[0]
