"""Weights of a pretrained trunk, out of an ONNX file."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.networks.nano import Trunk


def load_trunk(trunk: Trunk, path: Path) -> None:
    """Fill ``trunk`` with the first convolutions of a folded MobileNet v1 at stride 8, in their order in the file.

    ``openpose-lightweight.onnx`` is such a file. Raises ModelSpecError where a convolution is missing or shaped
    otherwise.
    """
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, ValueError) as error:
        raise ModelSpecError(f"cannot read the trunk {path}: {error}", hint="check network.trunk") from error
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    wanted = [module for module in trunk if isinstance(module, torch.nn.Conv2d)]
    for number, (module, node) in enumerate(zip(wanted, convolutions)):
        shape = tuple(tensors[node.input[1]].dims) if node.input[1] in tensors else ()
        if shape != tuple(module.weight.shape) or len(node.input) != 3:
            raise ModelSpecError(
                f"{path}: convolution {number} is {shape}, the trunk needs {tuple(module.weight.shape)} and a bias",
                hint="take a MobileNet v1 of full width with folded batch normalisation",
            )
        with torch.no_grad():
            for parameter, name in ((module.weight, node.input[1]), (module.bias, node.input[2])):
                parameter.copy_(torch.from_numpy(numpy_helper.to_array(tensors[name]).copy()))
    if len(convolutions) < len(wanted):
        raise ModelSpecError(
            f"{path} has {len(convolutions)} convolutions, the trunk needs {len(wanted)}",
            hint="lower network.trunk_blocks",
        )
