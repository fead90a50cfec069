"""CSPNeXt, the trunk of RTMPose and RTMDet (Lyu et al., "RTMDet", 2022), with mmdet's names for its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trt_pose_app.networks.conv_bn import ConvBn, SeparableConvBn


@dataclass(frozen=True)
class CspNextSize:
    """``width``: channels after the stem, doubled by each stage; ``depths``: blocks of the four stages.

    ``depthwise``: every 3x3 convolution behind the stem is split into one per channel and a 1x1 (the nano size).
    """

    width: int
    depths: tuple[int, int, int, int]
    depthwise: bool = False

    @classmethod
    def of(cls, shapes: Mapping[str, Sequence[int]], prefix: str = "backbone.") -> CspNextSize | None:
        """Return the size of the trunk in a state dict's shapes, or None where there is no such trunk."""
        stem = shapes.get(f"{prefix}stem.2.conv.weight")
        if stem is None:
            return None
        layers = [f"{prefix}stage{stage}.{2 if stage == 4 else 1}.blocks." for stage in (1, 2, 3, 4)]
        first, second, third, fourth = (
            len({key.removeprefix(layer).split(".")[0] for key in shapes if key.startswith(layer)}) for layer in layers
        )
        depthwise = f"{prefix}stage1.0.depthwise_conv.conv.weight" in shapes
        return cls(int(stem[0]), (first, second, third, fourth), depthwise)

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of the four stages, at strides 4, 8, 16 and 32."""
        return 2 * self.width, 4 * self.width, 8 * self.width, 16 * self.width


SIZES = {
    "t": CspNextSize(24, (1, 1, 1, 1)),
    "s": CspNextSize(32, (1, 2, 2, 1)),
    "m": CspNextSize(48, (2, 4, 4, 2)),
    "l": CspNextSize(64, (3, 6, 6, 3)),
    "x": CspNextSize(80, (4, 8, 8, 4)),
}


class CspNext(nn.Module):
    """Normalised pictures (N, 3, H, W) to features at strides 8, 16 and 32. H and W are multiples of 32."""

    def __init__(self, size: CspNextSize) -> None:
        super().__init__()
        width = size.width
        self.stem = nn.Sequential(
            ConvBn(3, width // 2, 3, stride=2), ConvBn(width // 2, width // 2, 3), ConvBn(width // 2, width, 3)
        )
        channels = (width, *size.channels)
        for stage, depth in enumerate(size.depths, start=1):
            before, after = channels[stage - 1 : stage + 1]
            layers: list[nn.Module] = [conv3x3(before, after, depthwise=size.depthwise, stride=2)]
            if stage == 4:
                layers.append(_PyramidPooling(after))
            csp = CspLayer(after, after, depth, depthwise=size.depthwise, identity=stage < 4, attention=True)
            self.add_module(f"stage{stage}", nn.Sequential(*layers, csp))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stride8: Tensor = self.stage2(self.stage1(self.stem(picture)))
        stride16: Tensor = self.stage3(stride8)
        return stride8, stride16, self.stage4(stride16)


class CspLayer(nn.Module):
    """Half of the channels through ``n_blocks`` blocks, half past them, then both weighted and mixed."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_blocks: int,
        *,
        depthwise: bool = False,
        identity: bool = False,
        attention: bool = False,
    ) -> None:
        super().__init__()
        half = out_channels // 2
        self.main_conv = ConvBn(in_channels, half)
        self.short_conv = ConvBn(in_channels, half)
        self.final_conv = ConvBn(2 * half, out_channels)
        self.blocks = nn.Sequential(*(_Block(half, depthwise=depthwise, identity=identity) for _ in range(n_blocks)))
        self.attention = _ChannelAttention(2 * half) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat((self.blocks(self.main_conv(x)), self.short_conv(x)), dim=1)
        y: Tensor = self.final_conv(self.attention(both))
        return y


def conv3x3(in_channels: int, out_channels: int, *, depthwise: bool, stride: int = 1) -> nn.Module:
    """Return a 3x3 ``ConvBn``, or its separable form."""
    if depthwise:
        return SeparableConvBn(in_channels, out_channels, 3, stride=stride)
    return ConvBn(in_channels, out_channels, 3, stride=stride)


class _Block(nn.Module):
    def __init__(self, channels: int, *, depthwise: bool, identity: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels, depthwise=depthwise)
        self.conv2 = SeparableConvBn(channels, channels, 5)
        self.identity = identity

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self.identity else y


class _ChannelAttention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.gate(self.fc(self.mean(x)))
        return y


class _PyramidPooling(nn.Module):
    """The largest values of three neighbourhoods beside the map itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBn(channels, channels // 2)
        self.poolings = nn.ModuleList(nn.MaxPool2d(side, stride=1, padding=side // 2) for side in (5, 9, 13))
        self.conv2 = ConvBn(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        y: Tensor = self.conv2(torch.cat((x, *(pooling(x) for pooling in self.poolings)), dim=1))
        return y
