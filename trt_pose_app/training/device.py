"""What a run computes on."""

from __future__ import annotations

import logging

import torch

from trt_pose_app.errors import DependencyError

_LOG = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """Return the device of ``schedule.device``. Raises DependencyError for a GPU that is not there."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DependencyError("torch sees no GPU", hint="set schedule.device to auto or cpu")
    return torch.device("cuda")


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device computes in bfloat16: every processor does, GPUs since Ampere."""
    if device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False):
        return True
    _LOG.warning("this GPU has no bfloat16: training in single precision")
    return False
