"""pose-nano: a small part-affinity network for edge CPUs and GPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trt_pose_app.networks.lite_hrnet import LiteHrNet

# ImageNet's, in units of 0..255 pixels, in the order blue, green, red: what pretrained trunks were fed with.
_MEAN_BGR = (103.53, 116.28, 123.675)
_STD_BGR = (57.375, 57.12, 58.395)


class PoseNano(nn.Module):
    """Pixels to confidence maps and part affinity fields at stride 4.

    Input (N, 3, H, W): BGR pixels 0..255, H and W multiples of 32; normalisation is the first step. In eval mode the
    result is ``(cmap, paf)`` with shapes (N, K, H/4, W/4) and (N, 2L, H/4, W/4), both linear. In training mode it is a
    list of such pairs, one per stage, the deployed stage last.

    The trunk sees the whole picture at stride 32 and keeps stride 4 for the places, and has published weights of a
    top-down network to start from. A second stage corrects the first one's maps (Lightweight OpenPose gains 6 AP by
    that). It costs little: nearly all of the work is in the trunk.
    """

    stride = 4
    multiple_of = 32

    def __init__(self, n_parts: int, n_limbs: int, *, trunk_channels: int = 40, width: int = 64) -> None:
        super().__init__()
        self.n_parts, self.n_limbs = n_parts, n_limbs
        n_maps = n_parts + 2 * n_limbs
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(_STD_BGR).reshape(1, 3, 1, 1), persistent=False)
        self.trunk = LiteHrNet(trunk_channels)
        self.out1 = nn.Conv2d(trunk_channels, n_maps, 1)
        self.join = _ConvBnRelu(trunk_channels + n_maps, width)
        self.refine = nn.Sequential(_Separable(width), _Separable(width), _Separable(width))
        self.out2 = nn.Conv2d(width, n_maps, 1)
        for head in (self.out1, self.out2):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        features = self.trunk((pixels - self.mean) * self.scale)
        first = self.out1(features)
        second = self.out2(self.refine(self.join(torch.cat((features, first), dim=1))))
        if self.training:
            return [self._split(first), self._split(second)]
        return self._split(second)

    def _split(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        return maps[:, : self.n_parts], maps[:, self.n_parts :]


class _ConvBnRelu(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
        )


class _Separable(nn.Module):
    """Depthwise 5x5, then 1x1, each with batch normalisation, as a residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            _ConvBnRelu(channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y
