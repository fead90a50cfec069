"""The network that a recipe names, with the weights it starts from."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from trt_pose_app.errors import ModelNotFoundError, ModelSpecError
from trt_pose_app.networks.nano import PoseNano
from trt_pose_app.networks.paf_attention import build_paf_attention, load_weights
from trt_pose_app.networks.pixel_input import PixelInput
from trt_pose_app.networks.posefix import PoseFixNano
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.pretrained import load_trunk
from trt_pose_app.training.recipe import NetworkRecipe

PoseNetwork = PoseNano | PixelInput | PoseFixNano


def build_network(recipe: NetworkRecipe, skeleton: Skeleton) -> PoseNetwork:
    """Return the recipe's network with random weights. Raises ModelSpecError for an unknown kind."""
    n_parts, n_limbs = len(skeleton), len(skeleton.limbs)
    if recipe.kind == "pose-nano":
        return PoseNano(n_parts, n_limbs, trunk_channels=recipe.trunk_channels, width=recipe.width)
    if recipe.kind == "posefix-nano":
        return PoseFixNano(
            n_parts,
            trunk_channels=recipe.trunk_channels,
            trunk_stages=recipe.trunk_stages,
            sigma_px=recipe.pose_sigma_px,
        )
    network = build_paf_attention(
        recipe.kind,
        n_parts,
        2 * n_limbs,
        upsample_channels=recipe.upsample_channels,
        num_upsample=recipe.num_upsample,
        num_flat=recipe.num_flat,
    )
    return PixelInput(network, stride=32 >> recipe.num_upsample)


def start_weights(network: PoseNetwork, recipe: NetworkRecipe) -> None:
    """Load what the recipe lets the network start from, if it names anything. Raises ModelError."""
    if isinstance(network, PixelInput):
        if recipe.initial_weights is not None:
            load_weights(network.network, _state_dict(recipe.initial_weights))
        elif recipe.imagenet:
            try:
                pretrained = build_paf_attention(recipe.kind, 1, 2, imagenet=True)
            except OSError as error:
                raise ModelNotFoundError(
                    f"torchvision could not fetch ImageNet weights: {error}",
                    hint="give network.initial_weights, or --set network.imagenet=false",
                ) from error
            network.network[0].load_state_dict(pretrained[0].state_dict())  # the backbone
        return
    if recipe.trunk is not None:
        load_trunk(network.trunk, recipe.trunk)


def freeze(network: PoseNetwork, recipe: NetworkRecipe) -> None:
    """Let a trunk's stem keep its weights, where the recipe says so."""
    if not isinstance(network, PixelInput) and recipe.frozen_stem:
        network.trunk.stem.requires_grad_(False)


def _state_dict(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelSpecError(
            f"cannot read the weights {path}: {error}", hint="check network.initial_weights"
        ) from error
    return state
