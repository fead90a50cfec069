"""Checkpoints of this project's own training: the averaged network of a run and its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from torch import nn

from converters.trt_pose_checkpoint import spec_skeleton
from trt_pose_app.config.wording import mistakes_of
from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.models.spec import InputSpec, ModelSpec, OriginSpec, PafSpec
from trt_pose_app.skeleton import SKELETONS, Skeleton, flip_by_name
from trt_pose_app.training.build import PoseNetwork, build_network
from trt_pose_app.training.recipe import Recipe

_GREY = 128  # what training puts around a photo that does not fill the picture


def averaged_network(content: Mapping[str, Any], where: str) -> nn.Module:
    """Return the run's network with random weights, in eval mode. ``content`` is last.pt's. Raises ModelSpecError."""
    return _network(_recipe(content, where), _skeleton(content, where)).eval()  # type: ignore[no-any-return, unused-ignore]


def training_spec(content: Mapping[str, Any], where: str) -> ModelSpec:
    """Return the spec of a run's network for pictures of the size that it learnt from last. Raises ModelSpecError."""
    import torch

    recipe, skeleton = _recipe(content, where), _skeleton(content, where)
    if recipe.refine is not None:
        raise ModelSpecError(
            f"{where} is the run of a refiner, which takes a pose beside the picture",
            hint="write its ONNX file with `trt-pose train RECIPE --export FILE.onnx`",
        )
    with torch.device("meta"):
        network = _network(recipe, skeleton)
    side = recipe.schedule.sizes[-1][1]
    return ModelSpec(
        name=recipe.name,
        kind="paf",
        skeleton=spec_skeleton(skeleton),
        input=InputSpec(
            name="image",
            width=side,
            height=side,
            colour="bgr",
            resize="letterbox" if recipe.augment.trt_pose is None else "stretch",
            padding_value=_GREY,
            multiple_of=network.multiple_of,
        ),
        outputs={"cmap": "cmap", "paf": "paf"},
        paf=PafSpec(stride=network.stride, component_order="yx", map_offset=0.5),
        origin=OriginSpec(licence="your own training; its photos have terms of their own", origin=f"run {recipe.name}"),
    )


def _network(recipe: Recipe, skeleton: Skeleton) -> PoseNetwork:
    return build_network(recipe.network, skeleton)


def _recipe(content: Mapping[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate_json(content["recipe"])
    except ValidationError as error:
        raise ModelSpecError(
            f"{where} was trained with a recipe that this version does not know: {mistakes_of(error, 'recipe')}",
            hint="export it with the version that trained it",
        ) from error


def _skeleton(content: Mapping[str, Any], where: str) -> Skeleton:
    try:
        parts, limbs = tuple(content["parts"]), tuple((int(a), int(b)) for a, b in content["limbs"])
        for known in SKELETONS.values():
            if (known.parts, known.limbs) == (parts, limbs):
                return known
        return Skeleton("trained", parts, limbs, flip_by_name(parts))
    except (TypeError, ValueError, ConfigError) as error:
        raise ModelSpecError(f"{where} is damaged: its parts or limbs are wrong", hint="train again") from error
