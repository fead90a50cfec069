"""A run's averaged network as ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from trt_pose_app.errors import ModelNotFoundError
from trt_pose_app.skeleton import Skeleton, flip_by_name
from trt_pose_app.training.build import build_network
from trt_pose_app.training.checkpoint import read_checkpoint
from trt_pose_app.training.loop import CHECKPOINT
from trt_pose_app.training.recipe import Recipe

OPSET = 17  # TensorRT 8.6 of JetPack 6 reads it


def export_onnx(folder: Path, target: Path) -> None:
    """Write the averaged network of the run in ``folder``: ``image`` -> ``cmap``, ``paf``; N, H and W are free.

    Batch normalisation is folded. Any checkpoint will do, at any step. Raises ModelNotFoundError for a folder
    without one.
    """
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        raise ModelNotFoundError(f"there is no {checkpoint}", hint="train first, or name the run with --run")
    state = read_checkpoint(checkpoint)
    parts, limbs = tuple(state["parts"]), tuple((int(a), int(b)) for a, b in state["limbs"])
    recipe = Recipe.model_validate_json(state["recipe"])
    network = build_network(recipe.network, Skeleton(recipe.name, parts, limbs, flip_by_name(parts)))
    network.load_state_dict(state["ema"])
    network.eval()
    target.parent.mkdir(parents=True, exist_ok=True)
    side = 8 * network.multiple_of
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the classic exporter needs no further packages
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, side, side),),
            str(target),
            input_names=["image"],
            output_names=["cmap", "paf"],
            dynamic_axes={
                "image": {0: "n", 2: "height", 3: "width"},
                "cmap": {0: "n", 2: "map_height", 3: "map_width"},
                "paf": {0: "n", 2: "map_height", 3: "map_width"},
            },
            opset_version=OPSET,
            dynamo=False,
        )
