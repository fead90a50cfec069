"""trt_pose's checkpoints: which network one belongs to, and what its maps mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converters.backbone import backbone_of
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import DecodeSpec, InputSpec, ModelSpec, OriginSpec, PafSpec, SkeletonSpec
from trt_pose_app.models.task_file import read_task_file
from trt_pose_app.skeleton import COCO18, HAND21, SKELETONS, Skeleton

if TYPE_CHECKING:
    from torch import nn

_TASK_FILES = ("human_pose.json", "hand_pose.json")  # as trt_pose and trt_pose_hand name them
_STRIDE = 32  # of every backbone


@dataclass(frozen=True)
class TrtPoseVariant:
    """``architecture`` is trt_pose's name of the network, such as resnet18_baseline_att."""

    architecture: str
    n_parts: int
    n_paf_channels: int
    upsample_channels: int = 256
    num_upsample: int = 3
    num_flat: int = 0

    def build(self) -> nn.Module:
        """Return the network with random weights, in eval mode."""
        from trt_pose_app.networks.paf_attention import build_paf_attention

        network = build_paf_attention(
            self.architecture,
            self.n_parts,
            self.n_paf_channels,
            upsample_channels=self.upsample_channels,
            num_upsample=self.num_upsample,
            num_flat=self.num_flat,
        )
        return network.eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self, name: str, skeleton: Skeleton, size: tuple[int, int]) -> ModelSpec:
        """Return the spec of the network as exported, for pictures of ``size`` (width, height) pixels."""
        return trt_pose_spec(name, skeleton, size, stride=_STRIDE >> self.num_upsample)


def trt_pose_spec(
    name: str,
    skeleton: Skeleton,
    size: tuple[int, int],
    *,
    stride: int = 4,
    tensors: tuple[str, str, str] = ("input", "cmap", "paf"),
) -> ModelSpec:
    """Return the spec of a network that was trained by trt_pose; ``tensors`` names its input and its two outputs."""
    width, height = size
    return ModelSpec(
        name=name,
        kind="paf",
        skeleton=spec_skeleton(skeleton),
        input=InputSpec(
            name=tensors[0],
            width=width,
            height=height,
            colour="rgb",
            mean=(123.675, 116.28, 103.53),
            std=(58.395, 57.12, 57.375),
            resize="stretch",
            multiple_of=_STRIDE,
        ),
        outputs={"cmap": tensors[1], "paf": tensors[2]},
        paf=PafSpec(stride=stride, component_order="yx", map_offset=0.5),
        # Their own programs' thresholds.
        decode=DecodeSpec(peak_threshold=0.15 if skeleton is HAND21 else 0.1),
        origin=OriginSpec(licence="unknown: ask whoever trained it", origin="trained with trt_pose"),
    )


def identify(shapes: Mapping[str, Sequence[int]]) -> TrtPoseVariant | None:
    """Return which network of trt_pose has these shapes, or None where they are of another family.

    Raises ModelSpecError for a head of trt_pose on an unknown backbone.
    """
    attention = "1.cmap_conv.weight" in shapes
    last = "1.cmap_conv.weight" if attention else "1.cmap_conv.1.weight"
    paf = last.replace("cmap", "paf")
    if last not in shapes or paf not in shapes:
        return None
    backbone = backbone_of(shapes)
    if backbone is None:
        raise ModelSpecError(
            "it has the head of trt_pose on a backbone that trt_pose does not have",
            hint="trt_pose has ResNet 18 to 152, DenseNet 121 to 201 and MNASNet; DLA is not supported",
        )
    branch = "1.cmap_up." if attention else "1.cmap_conv.0."
    sizes = [tuple(shape) for key, shape in shapes.items() if key.startswith(branch) and len(shape) == 4]
    num_upsample = sum(shape[2] == 4 for shape in sizes)
    num_flat = (len(sizes) - num_upsample) // max(1, num_upsample)
    return TrtPoseVariant(
        f"{backbone}_baseline{'_att' * attention}",
        shapes[last][0],
        shapes[paf][0],
        shapes[last][1],
        num_upsample,
        num_flat,
    )


def skeleton_of(variant: TrtPoseVariant, path: Path, task: Path | None) -> Skeleton:
    """Return the parts and limbs of a checkpoint: from the file ``task``, from one beside it, or trt_pose's own.

    Raises ConfigError for a broken task file, ModelSpecError where the counts do not fit.
    """
    wanted = f"{variant.n_parts} parts and {variant.n_paf_channels // 2} limbs"
    if task is not None:
        skeleton = read_task_file(task)
        if not _fits(skeleton, variant):
            raise ModelSpecError(
                f"{path} has {wanted}, {task} has {len(skeleton)} and {len(skeleton.limbs)}",
                hint="give the task file that the network was trained with",
            )
        return skeleton
    beside = [path.with_name(name) for name in _TASK_FILES if path.with_name(name).is_file()]
    for skeleton in (*map(read_task_file, beside), COCO18, HAND21):
        if _fits(skeleton, variant):
            return skeleton
    raise ModelSpecError(
        f"{path} has {wanted}, unlike trt_pose's people ({len(COCO18)} and {len(COCO18.limbs)}) and hands "
        f"({len(HAND21)} and {len(HAND21.limbs)})" + "".join(f", and unlike {file}" for file in beside),
        hint="say what they are with --task human_pose.json, the task file that the network was trained with",
    )


def spec_skeleton(skeleton: Skeleton) -> str | SkeletonSpec:
    """Return ``skeleton`` as a spec holds it: a known one's name, or all of it."""
    if SKELETONS.get(skeleton.name) == skeleton:
        return skeleton.name
    return SkeletonSpec(
        name=skeleton.name,
        parts=skeleton.parts,
        limbs=skeleton.limbs,
        flip=skeleton.flip,
        sigmas=skeleton.sigmas,
    )


def _fits(skeleton: Skeleton, variant: TrtPoseVariant) -> bool:
    return (len(skeleton), 2 * len(skeleton.limbs)) == (variant.n_parts, variant.n_paf_channels)
