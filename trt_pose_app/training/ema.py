"""The exponential moving average of a network, which is what is validated and exported."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Ema:
    """``network`` follows the trained one; young averages forget faster: decay min(decay, (step + 1) / (step + 20))."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards ``network`` after optimiser step number ``step``."""
        decay = min(self._decay, (step + 1) / (step + 20))
        ours, theirs = self.network.state_dict(), network.state_dict()
        floats = [name for name, tensor in ours.items() if tensor.dtype.is_floating_point]
        torch._foreach_lerp_([ours[name] for name in floats], [theirs[name] for name in floats], 1 - decay)
        for name in ours.keys() - set(floats):  # counters of batch normalisation
            ours[name].copy_(theirs[name])
