"""What an unknown state dict looks like, told from its keys: for the message about a wrong file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from converters.backbone import densenet_of, resnet_of

Shapes = Mapping[str, Sequence[int]]

# Keys that betray a network which is not supported, in the order of asking.
_TELLING = (
    (r"roi_heads\.keypoint_", "a torchvision Keypoint R-CNN"),
    (r"roi_heads\.", "a torchvision R-CNN detector"),
    (r"image_encoder\.", "a Segment Anything model"),
    (r"(backbone\.)?stage2\.0\.branches\.", "an HRNet"),
    (r"backbone\.transformer|.*\.self_attn\.|.*\.attn\.qkv\.", "a transformer"),
    (r"keypoint_head\.", "a network of mmpose before 1.0"),
    (r"(student|generator|discriminator)\.", "a training state of several networks"),
    (r"model\.\d+\.cv\d\.|model\.\d+\.m\.\d+\.cv\d\.", "a YOLO of Ultralytics"),
    (r"features\.\d+\.conv\.", "a torchvision MobileNet classifier"),
    (r"features\.0\.weight$", "a torchvision VGG or AlexNet classifier"),
    (r"layers\.\d+\.", "a torchvision MNASNet classifier"),
    (r"(backbone\.)?stem\.0\.conv\.weight", "a CSPNeXt backbone without the head of RTMPose or RTMDet"),
    (r"(backbone\.)?layer4\.", "a ResNet"),
)


def state_dict_kind(shapes: Shapes) -> str:
    """Return in words what a state dict of these shapes looks like: "a torchvision ResNet-50 classifier"."""
    if (name := resnet_of(shapes, "")) is not None and "fc.weight" in shapes:
        return f"a torchvision ResNet-{name.removeprefix('resnet')} classifier of {shapes['fc.weight'][0]} classes"
    if (name := densenet_of(shapes, "features.")) is not None and "classifier.weight" in shapes:
        classes = shapes["classifier.weight"][0]
        return f"a torchvision DenseNet-{name.removeprefix('densenet')} classifier of {classes} classes"
    for pattern, kind in _TELLING:
        if any(re.match(pattern, key) for key in shapes):
            return kind
    if any(key.startswith("0.") for key in shapes) and not any(key.startswith("1.") for key in shapes):
        return "a trt_pose backbone without its head"
    return "no network known here"


def first_keys(shapes: Shapes, count: int = 3) -> str:
    """Return the first keys with their shapes, as a sentence's part."""
    return ", ".join(f"{key} {tuple(shape)}" for key, shape in list(shapes.items())[:count])


def differences(expected: Shapes, found: Shapes, count: int = 3) -> str:
    """Return the first keys that are missing, unexpected or of another shape, as a sentence's part; "" if none."""
    told = [
        f"{key} is {tuple(found[key])}, not {tuple(shape)}"
        for key, shape in expected.items()
        if key in found and tuple(found[key]) != tuple(shape)
    ]
    told += [f"{key} is missing" for key in expected if key not in found]
    told += [f"{key} is too many" for key in found if key not in expected]
    more = len(told) - count
    return "; ".join(told[:count]) + (f"; and {more} more" if more > 0 else "")
