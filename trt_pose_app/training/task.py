"""Task: what differs between networks in training; the loop is the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from trt_pose_app.training.photo import Photo


class Task(Protocol):
    """Samples, loss and a look at held-out photos."""

    def samples(self) -> Dataset[tuple[Tensor, ...]]:
        """Return the training samples, the first tensor of each (3, size, size) uint8 BGR pixels."""
        ...

    def answer(self, network: torch.nn.Module, batch: Sequence[Tensor]) -> Any:
        """Return what the network, in training mode, says of a batch; runs in mixed precision."""
        ...

    def losses(
        self, network: torch.nn.Module, answer: Any, batch: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is minimised, and its parts by their column in the run's log."""
        ...

    def measure(self, network: torch.nn.Module, photos: Sequence[Photo]) -> Mapping[str, float]:
        """Return the quality of a network in eval mode, by column in the run's log."""
        ...

    def sheet(self, network: torch.nn.Module, photos: Sequence[Photo]) -> NDArray[np.uint8]:
        """Return a picture of what a network in eval mode finds."""
        ...
