"""Convolution, batch normalisation and activation as one layer, with mmcv's names for its tensors."""

from __future__ import annotations

from torch import Tensor, nn


class ConvBn(nn.Module):
    """mmcv's ``ConvModule``: a convolution that keeps the size at stride 1, its normalisation, and ``activation``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.activate = activation()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.activate(self.bn(self.conv(x)))
        return y


class SeparableConvBn(nn.Module):
    """mmcv's ``DepthwiseSeparableConvModule``: one filter per channel, then 1x1, each a ``ConvBn``."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvBn(in_channels, in_channels, kernel, stride=stride, groups=in_channels)
        self.pointwise_conv = ConvBn(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return y
