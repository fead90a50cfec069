"""pose-nano: a small part-affinity network for edge CPUs and GPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# MobileNet v1 up to stride 8, where its own last strides are undone as Lightweight OpenPose does:
# (channels, stride, dilation) of each depthwise-separable block after the first convolution.
_TRUNK = (
    (64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1),
    (512, 1, 2), (512, 1, 1), (512, 1, 1), (512, 1, 1), (512, 1, 1),
)  # fmt: skip


class PoseNano(nn.Module):
    """Pixels to confidence maps and part affinity fields at stride 8.

    Input (N, 3, H, W): BGR pixels 0..255, H and W multiples of 32; normalisation is the first layer. In eval mode
    the result is ``(cmap, paf)`` with shapes (N, K, H/8, W/8) and (N, 2L, H/8, W/8), both linear. In training mode
    it is a list of such pairs, one per stage, the deployed stage last.

    The trunk has no batch normalisation: it is made to hold pretrained weights with theirs already folded in.
    A two-level hourglass of depthwise 5x5 convolutions behind it sees the whole picture for the price of a few
    1x1 convolutions, and a second stage corrects the first one's maps (Lightweight OpenPose gains 6 AP by that).
    """

    stride = 8
    multiple_of = 32

    def __init__(self, n_parts: int, n_limbs: int, *, trunk_blocks: int = 8, width: int = 128) -> None:
        super().__init__()
        self.n_parts, self.n_limbs = n_parts, n_limbs
        n_maps = n_parts + 2 * n_limbs
        self.trunk = Trunk(trunk_blocks)
        self.entry = _ConvBnRelu(self.trunk.channels, width)
        self.down16 = nn.Sequential(_Separable(width, stride=2), _Separable(width), _Separable(width))
        self.down32 = nn.Sequential(_Separable(width, stride=2), _Separable(width), _Separable(width))
        self.up16 = _Separable(width)
        self.up8 = _Separable(width)
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.out1 = nn.Conv2d(width, n_maps, 1)
        self.join = _ConvBnRelu(width + n_maps, width)
        self.refine = nn.Sequential(_Separable(width), _Separable(width), _Separable(width))
        self.out2 = nn.Conv2d(width, n_maps, 1)
        for head in (self.out1, self.out2):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        at8 = self.entry(self.trunk(pixels * (1 / 255) - 128 / 255))
        at16 = self.down16(at8)
        at16 = self.up16(at16 + self.upsample(self.down32(at16)))
        at8 = self.up8(at8 + self.upsample(at16))
        first = self.out1(at8)
        second = self.out2(self.refine(self.join(torch.cat((at8, first), dim=1))))
        if self.training:
            return [self._split(first), self._split(second)]
        return self._split(second)

    def _split(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        return maps[:, : self.n_parts], maps[:, self.n_parts :]


class Trunk(nn.Sequential):
    """The first ``n_blocks`` separable blocks of MobileNet v1 at stride 8: plain convolutions with biases, and ReLU."""

    def __init__(self, n_blocks: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
        channels = 32
        for out_channels, stride, dilation in _TRUNK[:n_blocks]:
            layers += [
                nn.Conv2d(channels, channels, 3, stride, dilation, dilation, groups=channels),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, out_channels, 1),
                nn.ReLU(inplace=True),
            ]
            channels = out_channels
        super().__init__(*layers)
        self.channels = channels


class _ConvBnRelu(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
        )


class _Separable(nn.Module):
    """Depthwise 5x5, then 1x1, each with batch normalisation; a residual block unless it strides."""

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.residual = stride == 1
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 5, stride, 2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            _ConvBnRelu(channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.residual else y
