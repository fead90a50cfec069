"""Explicit quantisation: QuantizeLinear and DequantizeLinear before each layer that is to run in int8."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from converters.precision.plain_graph import FLOAT, drop_unused, replace_nodes
from trt_pose_app.errors import DependencyError

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def weighted_layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the layers of a ``plain`` model that int8 speeds up: those with constant float32 weights."""
    weights = {tensor.name for tensor in model.graph.initializer if tensor.data_type == FLOAT}
    return [
        node
        for node in model.graph.node
        if node.op_type in _WEIGHTED and node.input[1] in weights and node.input[0] not in weights
    ]


def quantise(
    model: onnx.ModelProto, layers: Collection[str], thresholds: Mapping[str, float], *, per_channel: bool
) -> onnx.ModelProto:
    """Return a ``plain`` model whose ``layers`` read int8 activations and weights, both symmetric.

    Biases and everything between the layers stay in float32, as TensorRT wants it: it fuses a layer with its
    activation and the next quantisation. Only the named layers see rounded values; ONNX Runtime's quantiser alone
    would round them for every other reader of the tensor too, a residual sum or a layer kept in float32 among them.
    """
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantType
        from onnxruntime.quantization.calibrate import TensorsData
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    except ImportError as error:
        raise DependencyError("ONNX Runtime is not installed", hint="pip install 'trt-pose-app[convert]'") from error
    branched, branches = _branch(model, layers)
    ranges = {}
    for branch, tensor in branches.items():
        limit = np.float32(thresholds[tensor])
        ranges[branch] = (-limit, limit)
    quantiser = QDQQuantizer(
        onnx.shape_inference.infer_shapes(branched),
        per_channel,
        False,  # 7-bit weights are for old x86 processors
        QuantType.QInt8,
        QuantType.QInt8,
        TensorsData(CalibrationMethod.MinMax, ranges),
        sorted(layers),
        [],
        list(_WEIGHTED),
        {
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "QDQDisableWeightAdjustForInt32Bias": True,
            "OpTypesToExcludeOutputQuantization": list(_WEIGHTED),
        },
    )
    result: onnx.ModelProto = quantiser.quantize_model()
    quantiser.model.topological_sort()
    _join(result.graph, branches)
    del result.graph.value_info[:]
    result.producer_name, result.producer_version = model.producer_name, model.producer_version
    drop_unused(result.graph)
    return result


def _branch(model: onnx.ModelProto, layers: Collection[str]) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return the model with what the layers read, activations and weights, on tensors that nobody else reads.

    And the activations' new names with their old ones.
    """
    branched = onnx.ModelProto()
    branched.CopyFrom(model)
    branches: dict[str, str] = {}
    weights = {tensor.name: tensor for tensor in branched.graph.initializer}
    nodes = []
    for node in branched.graph.node:
        if node.name in layers:
            source, branch = node.input[0], f"{node.input[0]}/int8"
            if branch not in branches:
                branches[branch] = source
                nodes.append(helper.make_node("Identity", [source], [branch]))
            weight = f"{node.input[1]}/int8"
            if weight not in weights:
                weights[weight] = numpy_helper.from_array(numpy_helper.to_array(weights[node.input[1]]), weight)
                branched.graph.initializer.append(weights[weight])
            node.input[0], node.input[1] = branch, weight
        nodes.append(node)
    replace_nodes(branched.graph, nodes)
    drop_unused(branched.graph)
    return branched, branches


def _join(graph: onnx.GraphProto, branches: Mapping[str, str]) -> None:
    """Take the branches' identities out again."""
    for node in [node for node in graph.node if node.op_type == "Identity" and node.output[0] in branches]:
        graph.node.remove(node)
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in branches:
            node.input[0] = branches[node.input[0]]
