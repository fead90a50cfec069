"""ScaleNorm and the gated attention unit of RTMPose's head, with mmpose's names for their tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEAST = 1e-5  # mmpose's: lengths below it count as it
_KEY_CHANNELS = 128
_EXPANSION = 2


class ScaleNorm(nn.Module):
    """Vectors (..., C) to root mean square ``g``.

    The sum of squares of 256 values overflows half precision where they exceed 16, and the networks' do. Dividing by
    the largest magnitude first keeps every step within what half can hold, at the same result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        largest = x.abs().amax(dim=-1, keepdim=True).clamp(min=_LEAST)
        relative = x / largest
        rms = largest * (relative * relative).mean(dim=-1, keepdim=True).sqrt()
        return x / rms.clamp(min=_LEAST) * self.g


class GatedAttention(nn.Module):
    """Tokens (N, K, C) that look at one another: mmpose's ``RTMCCBlock`` for self-attention, without positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _EXPANSION * channels
        self._splits = [inner, inner, _KEY_CHANNELS]
        self.gamma = nn.Parameter(torch.rand(2, _KEY_CHANNELS))
        self.beta = nn.Parameter(torch.rand(2, _KEY_CHANNELS))
        self.o = nn.Linear(inner, channels, bias=False)
        self.uv = nn.Linear(channels, sum(self._splits), bias=False)
        self.ln = ScaleNorm()
        self.act_fn = nn.SiLU()
        self.res_scale = _Scale(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        gate, values, base = self.act_fn(self.uv(self.ln(tokens))).split(self._splits, dim=2)
        queries = (base * self.gamma[0] + self.beta[0]) * _KEY_CHANNELS**-0.5
        keys = base * self.gamma[1] + self.beta[1]
        weights = torch.relu(queries @ keys.transpose(1, 2))
        mixed: Tensor = self.res_scale(tokens) + self.o(gate * (weights * weights @ values))
        return mixed


class _Scale(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale
