"""A refiner's codec inside its graph: coordinates to Gaussian maps, heatmaps to coordinates and confidence.

``decode.pose_maps`` and ``decode.soft_argmax`` are the same on the host, in numpy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NOWHERE_PX = -1e4  # so far from every cell that nothing of a Gaussian is left, also in half precision


class CellGrid(nn.Module):
    """Where the cells of a map lie: cell c is at input pixel ``(c + map_offset) * stride - map_offset``."""

    def __init__(self, stride: int, map_offset: float) -> None:
        super().__init__()
        self.stride, self.shift_px = stride, map_offset * stride - map_offset

    def forward(self, n_cells: int, like: Tensor) -> Tensor:
        """Return the pixel of each of ``n_cells`` cells, on the device of ``like``: float32."""
        return torch.arange(n_cells, dtype=torch.float32, device=like.device) * self.stride + self.shift_px


class Gaussians(nn.Module):
    """The two factors of ``peak * exp(-d^2 / 2 sigma^2)`` around keypoints."""

    def __init__(self, grid: CellGrid, sigma_px: float, peak: float = 1.0) -> None:
        super().__init__()
        self.grid, self._scale, self._peak = grid, 0.5**0.5 / sigma_px, peak

    def forward(self, xy: Tensor, valid: Tensor, height: int, width: int) -> Tensor:
        """Return maps (N, K, height, width) of ``xy`` (N, K, 2) in pixels; 0 where ``valid`` (N, K) is not above 0."""
        # Chosen, not multiplied: whatever stands in for a missing coordinate, even NaN, leaves no trace.
        place = torch.where(valid[:, :, None] > 0, xy, _NOWHERE_PX)
        return self.down(place, height) * (self._peak * self.across(place, width))

    def across(self, xy: Tensor, width: int) -> Tensor:
        """Return the factor along x: (N, K, 1, width)."""
        return self._factor(xy[:, :, None, :1], self.grid(width, xy))

    def down(self, xy: Tensor, height: int) -> Tensor:
        """Return the factor along y: (N, K, height, 1)."""
        return self._factor(xy[:, :, 1:, None], self.grid(height, xy)[:, None])

    def _factor(self, place: Tensor, cells: Tensor) -> Tensor:
        apart = (cells - place) * self._scale
        return torch.exp(-apart * apart)


class SoftArgmax(nn.Module):
    """Logits to the mean place under their softmax, over the whole map, and how sure the network is of it.

    The confidence, in [0, 1], is the similarity ``exp(-d^2 / 2 sigma^2)`` of that place to one drawn from the softmax,
    on average: 1 for a single sharp peak, near 0 between two peaks or for a flat map.
    """

    def __init__(self, gaussians: Gaussians) -> None:
        super().__init__()
        self.grid, self._gaussians = gaussians.grid, gaussians

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return coordinates (N, K, 2) in pixels and confidence (N, K) of logits (N, K, height, width)."""
        height, width = (int(side) for side in logits.shape[2:])
        share = logits.flatten(2).softmax(dim=2).reshape(-1, logits.shape[1], height, width)
        x = share.sum(dim=2) @ self.grid(width, share)
        y = share.sum(dim=3) @ self.grid(height, share)
        xy = torch.stack((x, y), dim=2)
        # Separable, too: two small products instead of a third map.
        rows = share @ self._gaussians.across(xy, width).transpose(2, 3)
        confidence = (rows * self._gaussians.down(xy, height)).sum(dim=(2, 3))
        return xy, confidence
