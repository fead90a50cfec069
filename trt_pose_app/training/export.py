"""A run's averaged network as ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch

from trt_pose_app.errors import ModelNotFoundError
from trt_pose_app.models.spec import METADATA_KEY, InputSpec, ModelSpec, OriginSpec, RefinerSpec, SkeletonSpec
from trt_pose_app.networks.posefix import OUTPUTS, CropRefiner
from trt_pose_app.skeleton import Skeleton, flip_by_name
from trt_pose_app.training.augment import FILL
from trt_pose_app.training.build import PoseNetwork, build_network
from trt_pose_app.training.checkpoint import read_checkpoint
from trt_pose_app.training.loop import CHECKPOINT
from trt_pose_app.training.recipe import Recipe, RefineRecipe

OPSET = 17  # TensorRT 8.6 of JetPack 6 reads it


def export_onnx(folder: Path, target: Path) -> None:
    """Write the averaged network of the run in ``folder`` with a free batch.

    ``image`` -> ``cmap``, ``paf`` of any H and W, batch normalisation folded; or a refiner for crops of the size that
    it learnt from last, with its spec inside. Any checkpoint will do, at any step. Raises ModelNotFoundError for a
    folder without one.
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
    if recipe.refine is None:
        _write_maps(network, target)
        return
    _write_refiner(network, recipe.schedule.sizes[-1][1], target)
    skeleton = recipe.data.skeleton or SkeletonSpec(name=recipe.name, parts=parts, limbs=limbs)
    model = onnx.load(str(target))
    onnx.helper.set_model_props(model, {METADATA_KEY: refiner_spec(recipe, recipe.refine, skeleton).to_json()})
    onnx.save(model, str(target))


def refiner_spec(recipe: Recipe, refine: RefineRecipe, skeleton: str | SkeletonSpec) -> ModelSpec:
    """Return the spec of a run's refiner as ``export_onnx`` writes it."""
    side = recipe.schedule.sizes[-1][1]
    return ModelSpec(
        name=recipe.name,
        kind="refiner",
        skeleton=skeleton,
        input=InputSpec(
            name="image",
            width=side,
            height=side,
            colour="bgr",
            resize="affine-crop",
            crop_padding=refine.crop_padding,
            padding_value=FILL,
            dtype="uint8",
            layout="nhwc",
        ),
        outputs=OUTPUTS,
        refiner=RefinerSpec(),
        origin=OriginSpec(licence="your own training; its photos have terms of their own", origin=f"run {recipe.name}"),
    )


def _write_maps(network: PoseNetwork, target: Path) -> None:
    side = 8 * network.multiple_of
    sides = {"cmap": ("map_height", "map_width"), "paf": ("map_height", "map_width"), "image": ("height", "width")}
    free = {name: {0: "n", 2: height, 3: width} for name, (height, width) in sides.items()}
    _write(network, (torch.zeros(1, 3, side, side),), ["image"], ["cmap", "paf"], free, target)


def _write_refiner(network: PoseNetwork, side: int, target: Path) -> None:
    inputs = ["image", RefinerSpec().coordinates, RefinerSpec().validity]
    k_parts = network.n_parts
    example = (
        torch.zeros(1, side, side, 3, dtype=torch.uint8),
        torch.zeros(1, k_parts, 2),
        torch.ones(1, k_parts),
    )
    free = {name: {0: "n"} for name in (*inputs, *OUTPUTS.values())}
    _write(CropRefiner(network).eval(), example, inputs, list(OUTPUTS.values()), free, target)


def _write(
    network: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    free: dict[str, dict[int, str]],
    target: Path,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the classic exporter needs no further packages
        # A refiner's grid of cells follows from the crop's size, which is meant to be fixed.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            network,
            example,
            str(target),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
