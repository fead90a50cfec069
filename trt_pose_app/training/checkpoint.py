"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from trt_pose_app.errors import ModelSpecError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` so that ``path`` is always either the old or the whole new file."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what ``save_checkpoint`` wrote. Nothing in the file is executed. Raises ModelSpecError."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelSpecError(f"{path} is no checkpoint: {error}", hint="remove it to start anew") from error
    return state
