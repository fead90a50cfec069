"""Recipe: one readable TOML file that says everything a training run does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from trt_pose_app.config.pattern import NAME
from trt_pose_app.config.wording import mistakes_of
from trt_pose_app.errors import ConfigError
from trt_pose_app.training.trt_pose_task import recipe_of_task

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MoreData(_Table):
    """A further set of photos that is mixed in."""

    images: Path
    annotations: Path
    share: Unit = Field(description="of all photos of the training pictures")
    people_only: bool = Field(False, description="leave out its photos without any annotation")


class DataRecipe(_Table):
    """Where photos and annotations lie. Relative paths start at the working directory."""

    images: Path = Field(description="folder of the training photos")
    annotations: Path = Field(description="their annotation file, COCO keypoint format")
    validation_images: Path | None = Field(None, description="folder of photos that are never trained on")
    validation_annotations: Path | None = None
    people_only: bool = Field(False, description="leave out photos without any annotation")
    more: tuple[MoreData, ...] = ()
    skeleton: str | None = Field(None, description="a built-in skeleton; without one the category's own is used")
    category: str = Field("person", description="the annotated category to learn")
    ignore_shape: Literal["box", "segmentation"] = Field(
        "box", description="what of crowds and unlabelled people does not count; segmentation: where there is one"
    )
    cache_gb: Annotated[float, Field(ge=0)] = Field(2.0, description="memory for decoded photos")
    workers: Annotated[int, Field(ge=0)] = Field(
        1, description="processes that prepare samples; 0: in the main process"
    )


class NetworkRecipe(_Table):
    """The network and the weights it starts from."""

    kind: str = Field(
        "pose-nano", description="pose-nano, posefix-nano, or a network of trt_pose such as resnet18_baseline_att"
    )
    trunk_channels: Annotated[int, Field(ge=8, multiple_of=2)] = Field(
        40, description="pose-nano and posefix-nano: of the finest branch"
    )
    trunk_stages: Annotated[int, Field(ge=1, le=3)] = Field(2, description="posefix-nano: of the trunk's three")
    pose_sigma_px: Positive = Field(5.0, description="posefix-nano: width of the input pose's Gaussians")
    width: Annotated[int, Field(ge=8)] = Field(64, description="pose-nano: channels of the second stage")
    trunk: Path | None = Field(None, description="the nanos: PP-TinyPose as ONNX, whose trunk to start from")
    frozen_stem: bool = Field(False, description="the nanos: the stem keeps its pretrained weights")
    num_upsample: Annotated[int, Field(ge=0, le=3)] = Field(
        3, description="trt_pose: doublings; the stride is 32 / 2^n"
    )
    num_flat: Annotated[int, Field(ge=0)] = Field(0, description="trt_pose: 3x3 convolutions after each doubling")
    upsample_channels: Count = Field(256, description="trt_pose: channels of the head")
    initial_weights: Path | None = Field(None, description="trt_pose: a checkpoint to start from")
    imagenet: bool = Field(False, description="trt_pose: start from torchvision's ImageNet weights, which it fetches")


class TrtPosePlacement(_Table):
    """trt_pose's way to lay a photo into the picture, ranges as in its task files: the whole photo is stretched to the
    picture, turned by ``angle`` radians, shown ``scale`` times smaller and shifted, on black."""

    angle: tuple[float, float] = (0.0, 0.0)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    translate: tuple[float, float] = (0.0, 0.0)
    keep_aspect_ratio: bool = False


class AugmentRecipe(_Table):
    """How a training picture is put together."""

    mosaic_two: Unit = Field(0.2, description="share of pictures made of two photos")
    mosaic_four: Unit = Field(0.15, description="share of pictures made of four photos")
    scale_min: Positive = Field(0.6, description="times the scale at which photo and picture cover the same area")
    scale_max: Positive = 1.6
    close_up: Unit = Field(0.1, description="share of photos that are enlarged around one keypoint")
    close_up_scale_max: Positive = 3.0
    wander: Unit = Field(0.0, description="share of photos enlarged around any point, mostly background")
    rotation_deg: Annotated[float, Field(ge=0)] = Field(25.0, description="standard deviation")
    rotation: Unit = Field(0.6, description="share of photos that are rotated")
    shift: Unit = Field(0.15, description="largest shift, of the picture's side")
    flip: Unit = 0.5
    brightness: Unit = 0.4
    contrast: Unit = 0.4
    channel_gain: Unit = 0.2
    grey: Unit = Field(0.1, description="share of grey pictures")
    blur: Unit = 0.1
    jpeg: Unit = 0.1
    cutout: Unit = Field(0.25, description="share of pictures with a plain box over a part of them")
    copy_paste: Unit = Field(0.0, description="share of pictures with a person of another photo pasted in")
    trt_pose: TrtPosePlacement | None = Field(None, description="instead of scale, rotation and shift as above")


class TargetRecipe(_Table):
    """The maps to learn. Widths are standard deviations in cells of the output map."""

    style: Literal["mean", "trt_pose"] = Field(
        "mean", description="overlapping limbs: their mean, or trt_pose's sum and its window of the confidence maps"
    )
    cmap_sigma: Positive = 0.9
    paf_sigma: Positive = 0.8
    uncertain_weight: Unit = Field(1.0, description="loss weight of keypoints with visibility 1")
    mask: Literal["unknown", "unlabelled", "none"] = Field(
        "unknown", description="what does not count: unknown keypoints, crowds and unlabelled people; only the latter"
    )


class DistillationRecipe(_Table):
    """A trained network whose maps are followed beside the labels."""

    teacher: str = Field(description="an ONNX network with a spec: its path, or its name as in `trt-pose models list`")
    weight: Positive = Field(0.5, description="of the teacher's loss; the labels' is 1")


class RefineRecipe(_Table):
    """Learn to correct poses: crops of people with synthetic errors in their poses, see ``pose_errors``.

    Of ``[augment]`` the turning, mirroring and disturbing apply; the pictures are square.
    """

    crop_padding: Positive = Field(1.5, description="side of a crop, times the extent of the wrong pose in it")
    scale: Unit = Field(0.15, description="by which that varies, up and down")
    shift: Unit = Field(0.05, description="of the crop's side, at most")
    dropout: Unit = Field(0.3, description="share of poses with keypoints left out, as bottom-up networks do")
    dropout_most: Unit = Field(0.6, description="largest part of the keypoints that such a pose lacks on average")
    half_body: Unit = Field(0.0, description="share of people whose legs are covered and come too short in the pose")
    recorded: Path | None = Field(
        None, description="an estimator's results for data.annotations: where errors of unlabelled keypoints start"
    )


class ScheduleRecipe(_Table):
    """How long and how fast."""

    steps: Count = 4000
    batch: Count = 32
    sizes: tuple[tuple[Unit, Count], ...] = Field(
        ((0.0, 192), (0.7, 256)), description="(share of the steps done, picture side in pixels) in rising order"
    )
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: Positive = 2e-3
    rates: tuple[tuple[Annotated[int, Field(ge=0)], Positive], ...] = Field(
        (), description="(step, learning rate from there on), instead of the cosine"
    )
    trunk_rate: Annotated[float, Field(ge=0)] = Field(0.2, description="of the learning rate, for the pretrained trunk")
    warm_up_steps: Annotated[int, Field(ge=0)] = 100
    flat: Unit = Field(0.5, description="share of the steps before the cosine begins to fall")
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    clip_gradient: Positive | None = 5.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.998
    foreground_weight: Annotated[float, Field(ge=0)] = Field(9.0, description="extra loss weight per unit of target")
    bf16: bool = Field(True, description="mixed precision: convolutions in bfloat16")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU where torch sees one")
    threads: Count = Field(2, description="of the processor")
    seed: int = 0


class Recipe(_Table):
    """A whole training run."""

    name: str = Field(pattern=NAME)
    data: DataRecipe
    network: NetworkRecipe = NetworkRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    targets: TargetRecipe = TargetRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    distillation: DistillationRecipe | None = None
    refine: RefineRecipe | None = Field(None, description="for network.kind posefix-nano")
    checkpoint_steps: Count = Field(100, description="steps between checkpoints")
    validate_steps: Count = Field(500, description="steps between validations")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.network.kind == "posefix-nano") != (self.refine is not None):
            raise ValueError("a table [refine] and network.kind posefix-nano belong together")
        if self.refine is not None and self.distillation is not None:
            raise ValueError("a refiner has no teacher: leave [distillation] out")
        return self

    def size_at(self, step: int) -> int:
        """Return the side in pixels of the pictures of this step."""
        share = step / self.schedule.steps
        return [side for start, side in self.schedule.sizes if share >= start][-1]


def read_recipe(path: Path, sets: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe and lay ``table.field=value`` settings over it. Raises ConfigError with every mistake.

    A ``.json`` file is a task of trt_pose, see ``trt_pose_task``.
    """
    data = recipe_of_task(path) if path.suffix == ".json" else _read_toml(path)
    for setting in sets:
        _lay_over(data, setting)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise ConfigError(
            f"{path}: {mistakes_of(error, 'recipe')}", hint="docs/training.md describes every field"
        ) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the recipe {path}: {error.strerror}", hint="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint="correct the file") from error
    return data


def _lay_over(data: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {setting} is no setting", hint="write --set table.field=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word or path
    *tables, field = name.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {setting}: {table} is no table", hint="docs/training.md lists the fields")
    data[field] = value
