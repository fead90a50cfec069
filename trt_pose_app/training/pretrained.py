"""Weights of a pretrained trunk, out of an ONNX file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.networks.lite_hrnet import LiteHrNet

_LAYER = re.compile(r"batch_norm2d_(\d+)\.")
_HINT = "take PP-TinyPose of PaddleDetection as ONNX"
_Layer = tuple[NDArray[np.float32], NDArray[np.float32]]  # weight and bias


def load_trunk(trunk: LiteHrNet, path: Path) -> None:
    """Fill ``trunk`` with the convolutions of PP-TinyPose, an ONNX file with folded batch normalisation.

    The file is fed with RGB, the trunk with BGR: the first convolution is turned round. A trunk of fewer stages takes
    its part. Raises ModelSpecError where a convolution is missing or shaped otherwise.
    """
    layers = _numbered_layers(path)
    whole = LiteHrNet(trunk.channels)
    wanted = whole.convolutions()
    if len(layers) != len(wanted):
        raise ModelSpecError(
            f"{path} has {len(layers)} convolutions with folded batch normalisation, the trunk needs {len(wanted)}",
            hint=_HINT,
        )
    for number, (module, (weight, bias)) in enumerate(zip(wanted, layers)):
        if weight.shape != tuple(module.weight.shape):
            raise ModelSpecError(
                f"{path}: convolution {number} is {weight.shape}, the trunk needs {tuple(module.weight.shape)}",
                hint=_HINT,
            )
        if number == 0:
            weight = weight[:, ::-1]
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(weight.copy()))
            module.bias.copy_(torch.from_numpy(bias.copy()))
    # Branches are merged from the coarsest one, which a shorter trunk lacks.
    del whole.head.projections[: len(whole.head.projections) - len(trunk.head.projections)]
    del whole.stages[len(trunk.stages) :]
    trunk.load_state_dict(whole.state_dict())


def _numbered_layers(path: Path) -> list[_Layer]:
    """Return weight and bias of every convolution whose bias was a batch normalisation, by that one's number."""
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, ValueError) as error:
        raise ModelSpecError(f"cannot read the trunk {path}: {error}", hint="check network.trunk") from error
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant"}
    biases = {n.input[0]: n for n in graph.node if n.op_type == "Add"}
    layers: dict[int, _Layer] = {}
    for convolution in (node for node in graph.node if node.op_type == "Conv"):
        bias = biases.get(convolution.output[0])
        number = _LAYER.match(bias.output[0]) if bias is not None else None
        if bias is None or number is None or not {convolution.input[1], bias.input[1]} <= constants.keys():
            continue
        weight = numpy_helper.to_array(constants[convolution.input[1]])
        layers[int(number[1])] = weight, numpy_helper.to_array(constants[bias.input[1]]).reshape(-1)
    return [layers[number] for number in sorted(layers)]
