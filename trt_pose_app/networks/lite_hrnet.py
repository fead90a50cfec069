"""Lite-HRNet with naive shuffle blocks: branches at strides 4 to 32 that keep exchanging what they see.

Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network" (CVPR 2021), in the form that PP-TinyPose deploys: batch
normalisation folded into convolutions with biases, so that its published weights load one to one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_MODULES = (2, 4, 2)  # exchanges among 2, 3 and 4 branches
STEM_CHANNELS = 32


class LiteHrNet(nn.Module):
    """Normalised pictures (N, 3, H, W) to features (N, ``channels``, H/4, W/4). H and W are multiples of 32.

    Branch i has ``channels * 2^i`` channels at stride ``4 * 2^i``. Of three ``stages``, each of which adds a branch,
    the last ones can be left out: the third has two thirds of the parameters and a quarter of the work.
    """

    def __init__(self, channels: int = 40, stages: int = len(_MODULES)) -> None:
        super().__init__()
        self.channels = channels
        widths = [channels << i for i in range(stages + 1)]
        self.stem = _Stem()
        layers: list[nn.Module] = []
        have = [STEM_CHANNELS]
        for stage, n_modules in enumerate(_MODULES[:stages]):
            want = widths[: stage + 2]
            layers += [_Transition(have, want), *(_Exchange(want) for _ in range(n_modules))]
            have = want
        self.stages = nn.Sequential(*layers)
        self.head = _Merge(widths)

    def forward(self, picture: Tensor, beside: Tensor | None = None) -> Tensor:
        """``beside`` (N, 32, H/4, W/4) is added to what the stem sees."""
        seen = self.stem(picture)
        merged: Tensor = self.head(self.stages([seen if beside is None else seen + beside]))
        return merged

    def convolutions(self) -> list[nn.Conv2d]:
        """Return the convolutions in the order in which PP-TinyPose numbers them."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]


class _Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        half = STEM_CHANNELS // 2
        self.halves = _Halves(STEM_CHANNELS)
        self.entry = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, padding=1)
        self.left = nn.Sequential(*_depthwise_separable(half, half, stride=2), nn.ReLU(inplace=True))
        self.right = nn.Sequential(
            nn.Conv2d(half, STEM_CHANNELS, 1),
            nn.ReLU(inplace=True),
            *_depthwise_separable(STEM_CHANNELS, half, stride=2),
            nn.ReLU(inplace=True),
        )

    def forward(self, picture: Tensor) -> Tensor:
        left, right = self.halves.split(torch.relu(self.entry(picture)))
        shuffled: Tensor = self.halves(self.left(left), self.right(right))
        return shuffled


class _Transition(nn.Module):
    """Brings the branches to their stage's channels and adds the next coarser one."""

    def __init__(self, have: Sequence[int], want: Sequence[int]) -> None:
        super().__init__()
        self.steps = nn.ModuleList()
        for i, channels in enumerate(want):
            if i < len(have) and have[i] == channels:
                self.steps.append(nn.Identity())
                continue
            stride = 1 if i < len(have) else 2
            self.steps.append(
                nn.Sequential(*_depthwise_separable(have[min(i, len(have) - 1)], channels, stride), nn.ReLU())
            )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        return [step(branches[min(i, len(branches) - 1)]) for i, step in enumerate(self.steps)]


class _Exchange(nn.Module):
    """Two shuffle blocks a branch, then every branch receives from every other."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(_Shuffle(width), _Shuffle(width)) for width in widths)
        self.fuse = nn.ModuleList(
            nn.ModuleList(_path(widths[j], widths[i], i - j) for j in range(len(widths))) for i in range(len(widths))
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        own = [block(branch) for block, branch in zip(self.blocks, branches)]
        # The released weights were trained with a sum in place: the finest branch counts twice, and the coarser ones
        # receive it after its own fusion, also twice.
        own[0] = 2 * own[0] + sum(path(branch) for path, branch in zip(self.fuse[0][1:], own[1:]))
        fused = [own[0]]
        for paths in self.fuse[1:]:
            total = 2 * paths[0](own[0])
            for path, branch in zip(paths[1:], own[1:]):
                total = total + path(branch)
            fused.append(total)
        return [torch.relu(branch) for branch in fused]


class _Shuffle(nn.Module):
    """Half of the channels pass, half are convolved, then both are interleaved."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.halves = _Halves(channels)
        self.body = nn.Sequential(
            nn.Conv2d(half, half, 1),
            nn.ReLU(inplace=True),
            *_depthwise_separable(half, half),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        kept, worked = self.halves.split(x)
        shuffled: Tensor = self.halves(kept, self.body(worked))
        return shuffled


class _Merge(nn.Module):
    """From the coarsest branch to the finest: convolve, enlarge, add."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        finer = [widths[0], *widths[:-1]]
        self.projections = nn.ModuleList(
            nn.Sequential(*_depthwise_separable(width, out), nn.ReLU()) for width, out in zip(widths[::-1], finer[::-1])
        )
        self.enlarge = nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True)  # as released

    def forward(self, branches: list[Tensor]) -> Tensor:
        merged = self.projections[0](branches[-1])
        for projection, branch in zip(self.projections[1:], branches[-2::-1]):
            merged = projection(branch + self.enlarge(merged))
        return merged


def _path(source: int, target: int, halvings: int) -> nn.Module:
    """Return what carries a branch of ``source`` channels to one of ``target``, ``halvings`` times coarser."""
    if halvings == 0:
        return nn.Identity()
    if halvings < 0:
        return nn.Sequential(nn.Conv2d(source, target, 1), nn.Upsample(scale_factor=2.0**-halvings, mode="nearest"))
    layers: list[nn.Module] = []
    for _ in range(halvings - 1):
        layers += [*_depthwise_separable(source, source, stride=2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *_depthwise_separable(source, target, stride=2))


def _depthwise_separable(channels: int, out_channels: int, stride: int = 1) -> tuple[nn.Conv2d, nn.Conv2d]:
    return (
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels),
        nn.Conv2d(channels, out_channels, 1),
    )


class _Halves(nn.Module):
    """Splits channels into halves, and interleaves two halves as a0 b0 a1 b1 ..."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._half = channels // 2
        order = torch.arange(channels).reshape(2, self._half).T.reshape(-1)
        self.register_buffer("order", order, persistent=False)

    def split(self, x: Tensor) -> list[Tensor]:
        return list(x.split([self._half, self._half], dim=1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        both = torch.cat((first, second), dim=1)
        if torch.onnx.is_in_onnx_export():
            return both[:, self.order]  # one Gather: the views below would write the picture's size into the graph
        return nn.functional.channel_shuffle(both, 2)
