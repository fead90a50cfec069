"""Which of torchvision's backbones a state dict holds, told from its keys alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Shapes = Mapping[str, Sequence[int]]

# Blocks per layer, and whether they are bottlenecks.
_RESNETS: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), False): "resnet18", ((3, 4, 6, 3), False): "resnet34", ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101", ((3, 8, 36, 3), True): "resnet152",
}  # fmt: skip
_DENSENETS: dict[tuple[int, ...], str] = {
    (6, 12, 24, 16): "densenet121", (6, 12, 36, 24): "densenet161", (6, 12, 32, 32): "densenet169",
    (6, 12, 48, 32): "densenet201",
}  # fmt: skip
_MNASNETS = {16: "mnasnet0_5", 24: "mnasnet0_75", 32: "mnasnet1_0", 40: "mnasnet1_3"}  # by the stem's channels


def backbone_of(shapes: Shapes) -> str | None:
    """Return torchvision's name of the backbone of a trt_pose network, the first of its two modules."""
    stem = shapes.get("0.backbone.layers.0.weight")
    if stem is not None:
        return _MNASNETS.get(stem[0])
    return resnet_of(shapes, "0.resnet.") or densenet_of(shapes, "0.densenet.features.")


def resnet_of(shapes: Shapes, prefix: str) -> str | None:
    """Return which ResNet has its layers below ``prefix``, if any."""
    blocks = _counts(shapes, re.escape(prefix) + r"layer(\d)\.(\d+)\.")
    return _RESNETS.get((blocks, f"{prefix}layer1.0.conv3.weight" in shapes))


def densenet_of(shapes: Shapes, prefix: str) -> str | None:
    """Return which DenseNet has its features below ``prefix``, if any."""
    return _DENSENETS.get(_counts(shapes, re.escape(prefix) + r"denseblock(\d)\.denselayer(\d+)\."))


def _counts(shapes: Shapes, pattern: str) -> tuple[int, ...]:
    """Return how many different second numbers ``pattern`` finds for each first one, in order."""
    found: dict[int, set[int]] = {}
    for key in shapes:
        if (match := re.match(pattern, key)) is not None:
            found.setdefault(int(match[1]), set()).add(int(match[2]))
    return tuple(len(found[group]) for group in sorted(found))
