"""What the networks that OpenMMLab published for mmpose have in common."""

from __future__ import annotations

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import InputSpec, OriginSpec

# The published networks' keypoint sets. A checkpoint tells the number of its points and nothing else about them.
_SKELETONS = {17: "coco17", 26: "halpe26", 133: "coco133"}

ORIGIN = OriginSpec(
    licence="Apache-2.0 (OpenMMLab; the training data has terms of its own)",
    origin="https://github.com/open-mmlab/mmpose",
)


def skeleton_of(n_keypoints: int) -> str:
    """Return the name of the skeleton of mmpose's networks with that many points. Raises ModelSpecError for others."""
    if n_keypoints not in _SKELETONS:
        raise ModelSpecError(
            f"the network finds {n_keypoints} keypoints, and which ones is not known",
            hint="networks of mmpose with " + ", ".join(f"{n} ({name})" for n, name in _SKELETONS.items()) + " are",
        )
    return _SKELETONS[n_keypoints]


def crop_input(width: int, height: int) -> InputSpec:
    """Return the input of a top-down network: one person, cut out with a quarter of the box around it."""
    return InputSpec(
        name="input",
        width=width,
        height=height,
        colour="rgb",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        resize="affine-crop",
        crop_padding=1.25,
        multiple_of=32,
    )
