"""Which parameters learn how fast."""

from __future__ import annotations

import torch

from trt_pose_app.training.build import PoseNetwork
from trt_pose_app.training.recipe import ScheduleRecipe


def build_optimiser(network: PoseNetwork, schedule: ScheduleRecipe) -> torch.optim.Optimizer:
    """Return Adam or AdamW. Each group of parameters has ``share``, which its learning rate is multiplied by."""
    groups = []
    for in_trunk in (True, False):
        for decays in (True, False):
            chosen = [
                parameter
                for name, parameter in network.named_parameters()
                if parameter.requires_grad
                and name.startswith("trunk.") == in_trunk
                and (parameter.ndim >= 2) == decays  # biases and normalisation are not shrunk
            ]
            groups.append(
                {
                    "params": chosen,
                    "share": schedule.trunk_rate if in_trunk else 1.0,
                    "weight_decay": schedule.weight_decay if decays else 0.0,
                }
            )
    kind = torch.optim.AdamW if schedule.optimiser == "adamw" else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=schedule.learning_rate)
