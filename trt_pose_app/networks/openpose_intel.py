"""Intel's tuned Lightweight OpenPose (Open Model Zoo, human-pose-estimation-0001) as a torch network."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.networks.openpose_lightweight import LightweightOpenPose

_HINT = "take openpose-lightweight.onnx, human-pose-estimation-0001 with its tensors' Caffe names"
_Layer = tuple[NDArray[np.float32], NDArray[np.float32]]  # weight and bias
_MAPS = (38, 19)  # the channels of PAF and confidence maps, which come first in the file's concatenation


def load_intel(path: Path) -> LightweightOpenPose:
    """Return the network of openpose-lightweight.onnx, in eval mode; its input is the usual (x - 128) / 256, BGR.

    The file's normalisation is folded into its convolutions. Here it is put into the biases of BatchNorm layers with
    unit statistics: keep them in eval mode while fine-tuning. Raises ModelSpecError for another file.
    """
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, DecodeError) as error:
        raise ModelSpecError(f"cannot read the network {path}: {error}", hint=_HINT) from error
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    network = LightweightOpenPose(1, intel=True).eval()
    layers: list[_Layer] = [
        (constants[node.input[1]], constants[node.input[2]])
        for node in graph.node
        if node.op_type == "Conv" and len(node.input) == 3 and set(node.input[1:]) <= constants.keys()
    ]
    wanted = _in_order_of_the_file(network)
    if len(layers) != len(wanted):
        raise ModelSpecError(f"{path} has {len(layers)} convolutions, not {len(wanted)}", hint=_HINT)
    layers[0] = layers[0][0] * np.float32(_input_scale(path, constants)), layers[0][1]
    joining = network.refinement_stages[0].trunk[0].initial[0]
    for (convolution, norm), (weight, bias) in zip(wanted, layers):
        if convolution is joining:
            paf, cmap, features = np.split(weight, np.cumsum(_MAPS), axis=1)
            weight = np.concatenate((features, cmap, paf), axis=1)
        _fill(path, convolution, norm, weight, bias)
    return network  # type: ignore[no-any-return, unused-ignore]


def _in_order_of_the_file(network: LightweightOpenPose) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """Return the convolutions, each with the normalisation behind it. The file's first stage has its PAFs first."""
    first, refinement = network.initial_stage, network.refinement_stages[0]
    parts = (network.model, network.cpm, first.trunk, first.pafs, first.heatmaps, refinement)
    modules = list(chain.from_iterable(part.modules() for part in parts))
    modules = [module for module in modules if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
    return [
        (module, following if isinstance(following, nn.BatchNorm2d) else None)
        for module, following in zip(modules, [*modules[1:], None])
        if isinstance(module, nn.Conv2d)
    ]


def _input_scale(path: Path, constants: dict[str, NDArray[np.float32]]) -> float:
    """Return what the first weights gain from dividing pixels by 256 instead of the file's own factor."""
    scale, shift = (constants.get(name, np.zeros(1, np.float32)) for name in ("c0", "c1"))
    if scale.size != 1 or not np.allclose(shift, -128 * scale, rtol=1e-4) or not scale.all():
        raise ModelSpecError(f"{path} does not begin with (x - 128) * c", hint=_HINT)
    return 256 * float(scale.item())


def _fill(
    path: Path,
    convolution: nn.Conv2d,
    norm: nn.BatchNorm2d | None,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> None:
    if weight.shape != tuple(convolution.weight.shape):
        raise ModelSpecError(
            f"{path}: a convolution is {weight.shape}, not {tuple(convolution.weight.shape)}", hint=_HINT
        )
    target: Tensor | None = convolution.bias if norm is None else norm.bias
    if target is None and bias.any():
        raise ModelSpecError(f"{path}: a convolution has a bias that this network lacks", hint=_HINT)
    with torch.no_grad():
        convolution.weight.copy_(torch.from_numpy(weight.copy()))
        if norm is not None:
            norm.weight.fill_((1 + norm.eps) ** 0.5)
            if convolution.bias is not None:
                convolution.bias.zero_()
        if target is not None:
            target.copy_(torch.from_numpy(bias.copy()))
