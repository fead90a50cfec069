"""The networks of NVIDIA's trt_pose: a torchvision backbone and a head of transposed convolutions.

Modules are named and ordered so that an official checkpoint loads with ``strict=True``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
import torchvision
from torch import Tensor, nn

from trt_pose_app.errors import ModelSpecError

# Channels that each backbone hands to the head; the key is torchvision's name of it.
_BACKBONES = {
    "resnet18": 512, "resnet34": 512, "resnet50": 2048, "resnet101": 2048, "resnet152": 2048,
    "densenet121": 1024, "densenet161": 2208, "densenet169": 1664, "densenet201": 1920,
    "mnasnet0_5": 1280, "mnasnet0_75": 1280, "mnasnet1_0": 1280, "mnasnet1_3": 1280,
}  # fmt: skip
_KINDS = {"_baseline": False, "_baseline_att": True}  # suffix -> whether the head attends
NAMES = tuple(backbone + suffix for backbone in _BACKBONES for suffix in _KINDS)


def build_paf_attention(
    name: str,
    n_parts: int,
    n_paf_channels: int,
    *,
    upsample_channels: int = 256,
    num_upsample: int = 3,
    num_flat: int = 0,
    imagenet: bool = False,
) -> nn.Sequential:
    """Return the trt_pose network ``name``, such as ``resnet18_baseline_att``.

    Input (N, 3, H, W) RGB, divided by 255 and normalised with ImageNet's mean and deviation; the result is
    ``(cmap, paf)`` at stride ``32 / 2 ** num_upsample``, both linear. Weights are random unless ``imagenet`` asks
    torchvision for its own, which fetches them: leave it off where a checkpoint follows.
    Raises ModelSpecError for a name that trt_pose does not have.
    """
    if name not in NAMES:
        raise ModelSpecError(f"trt_pose has no network {name!r}", hint=f"its networks are {', '.join(NAMES)}")
    backbone_name, _, suffix = name.partition("_baseline")
    weights = "DEFAULT" if imagenet else None
    backbone_class = _backbone_class(backbone_name)
    backbone = backbone_class(torchvision.models.get_model(backbone_name, weights=weights))
    head_class = _AttentionHead if _KINDS["_baseline" + suffix] else _PlainHead
    head = head_class(_BACKBONES[backbone_name], n_parts, n_paf_channels, upsample_channels, num_upsample, num_flat)
    return nn.Sequential(backbone, head)


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load a trt_pose checkpoint, every key of it and no other. Raises ModelSpecError where they differ.

    A plain mapping will do: torchvision's MNASNet wants to know a version from it that only torch's own saving
    keeps. Every file of trt_pose is of version 2.
    """
    state = OrderedDict(weights)
    metadata = dict(getattr(weights, "_metadata", None) or {})
    for path, module in network.named_modules():
        if isinstance(module, torchvision.models.MNASNet):
            metadata.setdefault(path, {"version": 2})
    state._metadata = metadata  # type: ignore[attr-defined]  # where torch itself keeps it
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelSpecError(
            f"the checkpoint is of another network: {error}", hint="check the network's name and its numbers of parts"
        ) from error


class _ResNet(nn.Module):
    def __init__(self, resnet: nn.Module) -> None:
        super().__init__()
        self.resnet = resnet

    def forward(self, x: Tensor) -> Tensor:
        net = self.resnet
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        features: Tensor = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return features


class _DenseNet(nn.Module):
    def __init__(self, densenet: nn.Module) -> None:
        super().__init__()
        self.densenet = densenet

    def forward(self, x: Tensor) -> Tensor:
        # Without the ReLU that torchvision's own forward puts behind norm5: trt_pose has none.
        features: Tensor = self.densenet.features(x)
        return features


class _MnasNet(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.backbone.layers(x)
        return features


def _backbone_class(name: str) -> type[_ResNet] | type[_DenseNet] | type[_MnasNet]:
    if name.startswith("resnet"):
        return _ResNet
    return _DenseNet if name.startswith("densenet") else _MnasNet


class _PlainHead(nn.Module):
    def __init__(self, channels: int, n_cmap: int, n_paf: int, upsample: int, num_upsample: int, num_flat: int) -> None:
        super().__init__()
        self.cmap_conv = nn.Sequential(
            _upsample(channels, upsample, num_upsample, num_flat), nn.Conv2d(upsample, n_cmap, 1)
        )
        self.paf_conv = nn.Sequential(
            _upsample(channels, upsample, num_upsample, num_flat), nn.Conv2d(upsample, n_paf, 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cmap_conv(x), self.paf_conv(x)


class _AttentionHead(nn.Module):
    def __init__(self, channels: int, n_cmap: int, n_paf: int, upsample: int, num_upsample: int, num_flat: int) -> None:
        super().__init__()
        self.cmap_up = _upsample(channels, upsample, num_upsample, num_flat)
        self.paf_up = _upsample(channels, upsample, num_upsample, num_flat)
        self.cmap_att = nn.Conv2d(upsample, upsample, 3, padding=1)
        self.paf_att = nn.Conv2d(upsample, upsample, 3, padding=1)
        self.cmap_conv = nn.Conv2d(upsample, n_cmap, 1)
        self.paf_conv = nn.Conv2d(upsample, n_paf, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cmap, paf = self.cmap_up(x), self.paf_up(x)
        cmap = cmap * torch.sigmoid(self.cmap_att(cmap))
        paf = paf * torch.tanh(self.paf_att(paf))
        return self.cmap_conv(cmap), self.paf_conv(paf)


def _upsample(in_channels: int, channels: int, count: int, num_flat: int) -> nn.Sequential:
    """Return ``count`` doublings of the resolution, each followed by ``num_flat`` 3x3 convolutions."""
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [nn.ConvTranspose2d(in_channels, channels, 4, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()]
        for _ in range(num_flat):
            layers += [nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels), nn.ReLU()]
        in_channels = channels
    return nn.Sequential(*layers)
