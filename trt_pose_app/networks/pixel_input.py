"""Networks that want normalised RGB, made to take pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelInput(nn.Module):
    """A network of ImageNet's kind behind the normalisation it expects: BGR pixels 0..255 in.

    Like ``PoseNano`` it returns ``(cmap, paf)`` in eval mode and a list of stages, here one, in training mode.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, *, stride: int, multiple_of: int = 32) -> None:
        super().__init__()
        self.network, self.stride, self.multiple_of = network, stride, multiple_of
        self.register_buffer("mean", 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        scale = 1 / (255 * torch.tensor([0.229, 0.224, 0.225])).view(1, 3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        maps: tuple[Tensor, Tensor] = self.network((pixels[:, [2, 1, 0]] - self.mean) * self.scale)
        return [maps] if self.training else maps
