"""ModelSpec: everything a runtime must know to use a network correctly, stored beside or inside the network."""

from __future__ import annotations

import json
import sys
from collections.abc import Set
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from trt_pose_app.config.pattern import NAME, SHA256
from trt_pose_app.config.wording import mistakes_of
from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.skeleton import SKELETONS, Skeleton, flip_by_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

METADATA_KEY = "trt_pose_spec"  # the ONNX metadata_props entry that holds a spec as JSON

_ROLES = {
    "paf": {"cmap", "paf"},
    "paf_fused": {"peaks", "limbs"},
    "simcc": {"x", "y"},
    "heatmap": {"heatmap"},
    "refiner": {"coordinates", "score"},
}

Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Channel = Annotated[int, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SkeletonSpec(_Table):
    """A skeleton of one's own: named parts and 0-based limbs; the flip follows from left_/right_ unless given."""

    name: str
    parts: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...] = ()
    flip: tuple[int, ...] | None = None
    sigmas: tuple[float, ...] | None = None

    def build(self) -> Skeleton:
        flip = self.flip if self.flip is not None else flip_by_name(self.parts)
        return Skeleton(self.name, self.parts, self.limbs, flip, self.sigmas)


class InputSpec(_Table):
    """The input tensor. ``mean`` and ``std`` are in the units of 0..255 pixels and in ``colour``'s channel order;
    leave them at 0 and 1 where normalisation is inside the graph."""

    name: str
    width: Positive
    height: Positive
    colour: Literal["bgr", "rgb"]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize: Literal["letterbox", "letterbox-top-left", "stretch", "affine-crop"] = "letterbox"
    padding_value: Annotated[int, Field(ge=0, le=255)] = 0
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    layout: Literal["nchw", "nhwc"] = "nchw"
    multiple_of: Positive = Field(1, description="a fully convolutional network's sizes are multiples of this")
    crop_padding: float = Field(1.25, gt=0, description="affine-crop: the crop's size, times the person's box")


class PafSpec(_Table):
    """How part affinity maps are to be read. Limb i of the skeleton has the channels ``limb_channels[i]``."""

    stride: Positive
    component_order: Literal["xy", "yx"]
    map_offset: float = Field(
        0.5, ge=0, le=0.5, description="0.5: a cell's centre is meant, see Geometry.cell_to_frame"
    )
    background_channel: Channel | None = Field(None, description="confidence channel that is no part")
    limb_channels: tuple[tuple[Channel, Channel], ...] | None = Field(
        None, description="default: limb i has 2i and 2i+1"
    )
    attach_only_limbs: tuple[int, ...] = Field(
        (), description="limbs that may add a part to a person but never join two (OpenPose: shoulder to ear)"
    )


class SimccSpec(_Table):
    """How a network reads coordinates out of two one-dimensional maps, with the outputs ``x`` and ``y``."""

    split_ratio: float = Field(2.0, gt=0, description="bins per input pixel")
    score: Literal["min", "mean", "max"] = Field(
        "min", description="a keypoint's score, of its two peaks (mmpose: min)"
    )


class HeatmapSpec(_Table):
    """How one map per keypoint is to be read, with the output ``heatmap``."""

    stride: Positive = 4
    map_offset: float = Field(0.0, ge=0, le=0.5, description="as in [paf]")
    refine: Literal["none", "quarter", "dark"] = Field(
        "quarter",
        description="a peak between cells: a quarter cell towards the higher neighbour, or DARK's Taylor step",
    )


class DetectorSpec(_Table):
    """How boxes of people are to be read.

    ``rtmdet``: per stride s an output ``level<s>`` (N, h, w, classes + 4) or two, ``class<s>`` (N, classes, h, w) and
    ``box<s>`` (N, 4, h, w); class logits, then the distances to the left, top, right and bottom edge in input pixels
    from (x, y) * s. ``yolox``: one output ``boxes`` (N, cells, 5 + classes) whose centres and log sizes count in cells.
    ``boxes``: non-maximum suppression is inside; ``boxes`` (N, n, 5) x0, y0, x1, y1, score and ``labels`` (N, n).
    A network with one class needs no ``labels``.
    """

    format: Literal["rtmdet", "yolox", "boxes"]
    strides: tuple[Positive, ...] = (8, 16, 32)
    person_class: Channel = 0
    score_threshold: Unit = 0.3
    nms_iou: Unit = 0.6
    max_boxes: Positive = 100

    def lacking(self, roles: Set[str]) -> list[str]:
        """Return the outputs that this format needs and ``roles`` does not have."""
        if self.format != "rtmdet":
            return [] if "boxes" in roles else ["boxes"]
        split = any(role.startswith("class") for role in roles)
        names = ("class", "box") if split else ("level",)
        return [role for s in self.strides for name in names if (role := f"{name}{s}") not in roles]


class RefinerSpec(_Table):
    """What a network that corrects poses takes beside the crops. What it gives is in their pixels, too."""

    coordinates: str = Field("coordinates", description="input name: (N, K, 2) pixels of the crop")
    validity: str = Field("validity", description="input name: (N, K), above 0 where a coordinate is known")


class DecodeSpec(_Table):
    """Default thresholds. See ``decode.paf.PafParams`` for their meaning."""

    peak_threshold: Unit = 0.1
    limb_threshold: Unit = 0.05
    limb_success_ratio: Unit = 0.8
    limb_samples: Annotated[int, Field(ge=2, le=64)] = 7
    max_peaks: Annotated[int, Field(ge=1, le=256)] = 64
    max_people: Annotated[int, Field(ge=1, le=256)] = 100
    min_keypoints: Positive = 3
    min_person_score: Unit = 0.2


class OriginSpec(_Table):
    """Where the network comes from and under which terms."""

    licence: str
    origin: str = ""
    note: str = ""
    sha256: str | None = Field(None, pattern=SHA256, description="of the ONNX file that the spec describes")
    urls: tuple[str, ...] = ()


class ModelSpec(_Table):
    """One network: what goes in, what comes out, and what its numbers mean."""

    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME)
    version: str = "1"
    kind: Literal["paf", "paf_fused", "simcc", "heatmap", "detector", "refiner"]
    skeleton: str | SkeletonSpec | None = None
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    input: InputSpec
    outputs: dict[str, str] = Field(description="role -> output name: the kind's table says which")
    paf: PafSpec | None = None
    simcc: SimccSpec | None = None
    heatmap: HeatmapSpec | None = None
    detector: DetectorSpec | None = None
    refiner: RefinerSpec | None = None
    decode: DecodeSpec = DecodeSpec()
    origin: OriginSpec

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if isinstance(self.skeleton, str) and self.skeleton not in SKELETONS:
            problems.append(f"skeleton {self.skeleton!r} is none of {', '.join(SKELETONS)}")
        elif isinstance(self.skeleton, SkeletonSpec):
            try:
                self.skeleton.build()
            except ConfigError as error:
                problems.append(error.message)
        problems += self._lacking()
        if not problems and self.paf is not None and self.skeleton is not None:
            n_limbs = len(self.build_skeleton().limbs)
            channels = self.paf.limb_channels
            if channels is not None and len(channels) != n_limbs:
                problems.append(f"paf.limb_channels has {len(channels)} pairs for {n_limbs} limbs")
            if any(not 0 <= limb < n_limbs for limb in self.paf.attach_only_limbs):
                problems.append(f"paf.attach_only_limbs leaves 0..{n_limbs - 1}")
            if channels is not None and len(set(sum(channels, ()))) != 2 * len(channels):
                problems.append("paf.limb_channels names a channel twice")
        for side in ("width", "height"):
            if getattr(self.input, side) % self.input.multiple_of:
                problems.append(f"input.{side} is no multiple of {self.input.multiple_of}")
        if any(s <= 0 for s in self.input.std):
            problems.append("input.std must be positive")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _lacking(self) -> list[str]:
        """Return what a network of this kind needs and the spec does not have."""
        table = {"paf_fused": "paf"}.get(self.kind, self.kind)
        problems = []
        if table in ("paf", "simcc", "heatmap", "detector", "refiner") and getattr(self, table) is None:
            problems.append(f"kind {self.kind!r} needs a [{table}] table")
        if self.kind != "detector" and self.skeleton is None:
            problems.append(f"kind {self.kind!r} needs a skeleton")
        missing = sorted(_ROLES.get(self.kind, set()) - self.outputs.keys())
        if self.kind == "detector" and self.detector is not None:
            missing = self.detector.lacking(self.outputs.keys())
        if missing:
            problems.append(f"[outputs] lacks {', '.join(missing)}")
        return problems

    def build_skeleton(self) -> Skeleton:
        """Return the skeleton. Raises ModelSpecError for a kind that has none (detectors)."""
        if self.skeleton is None:
            raise ModelSpecError(f"{self.name} has no skeleton", hint=f"it is a {self.kind}, not a pose network")
        return SKELETONS[self.skeleton] if isinstance(self.skeleton, str) else self.skeleton.build()

    def to_json(self) -> str:
        """Return the spec as it is stored in ONNX metadata."""
        return self.model_dump_json(exclude_none=True, exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> ModelSpec:
        """Read ``to_json``'s output; ``where`` names its file in errors. Raises ModelSpecError."""
        try:
            return cls._validated(json.loads(text), where)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ModelSpecError(f"{where}: broken spec metadata: {error}", hint="export the network again") from error

    @classmethod
    def read(cls, path: Path) -> ModelSpec:
        """Read a TOML sidecar. Raises ModelSpecError, which lists every mistake."""
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelSpecError(f"cannot read the spec {path}: {error.strerror}", hint="check the path") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ModelSpecError(f"{path} is not TOML: {error}", hint="correct the file") from error
        return cls._validated(data, str(path))

    @classmethod
    def _validated(cls, data: Any, where: str) -> ModelSpec:
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ModelSpecError(
                f"{where}: {mistakes_of(error, 'spec')}", hint="docs/models.md describes every field of a spec"
            ) from error
