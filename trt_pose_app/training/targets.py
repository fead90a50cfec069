"""Keypoints -> the confidence maps and part affinity fields that a network is to reproduce, compiled or in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DependencyError
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training import targets_reference

try:
    from trt_pose_app._paf import draw_targets as draw_native
except ImportError:  # installed where no compiler was
    draw_native = None  # type: ignore[assignment]

Floats = NDArray[np.float32]
# How far from a keypoint or limb cells are touched, in standard deviations. exp(-3.3^2 / 2) = 0.004;
# trt_pose draws fields over the whole map, which 4 standard deviations match to 3e-4.
_REACH = {"mean": 3.3, "trt_pose": 4.0}


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The people of one training picture, in pixels of that picture.

    ``xy`` (P, K, 2); ``visible`` (P, K) uint8, 0 unknown, 1 uncertain, 2 sure; ``box`` (P, 4) x0, y0, x1, y1;
    ``window`` (P, 4) the part of the picture that shows this person's photo; ``ignore`` (Q, 4) boxes about which
    nothing is known, and ``hidden`` (H, W) those pixels, where they are known more closely than as boxes.
    """

    xy: Floats
    visible: NDArray[np.uint8]
    box: Floats
    window: Floats
    ignore: Floats
    hidden: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """``cmap`` (K, h, w) and ``paf`` (2L, h, w; y before x as in trt_pose), with the loss weight of every cell."""

    cmap: Floats
    paf: Floats
    cmap_weight: Floats
    paf_weight: Floats


def draw_targets(
    people: People,
    skeleton: Skeleton,
    size: tuple[int, int],
    stride: int,
    *,
    cmap_sigma: float,
    paf_sigma: float,
    uncertain_weight: float = 1.0,
    style: Literal["mean", "trt_pose"] = "mean",
    mask: Literal["unknown", "unlabelled", "none"] = "unknown",
    native: bool | None = None,
) -> Targets:
    """Return the maps for a picture of ``size`` (width, height).

    A cell i stands for pixel ``stride * i + (stride - 1) / 2``. Confidence maps are the maximum over people of
    exp(-d^2 / 2 sigma^2). Fields are exp(-d^2 / 2 sigma^2) times the limb's unit vector, d the distance to the
    segment; where limbs of one kind overlap the style ``mean`` never exceeds length 1 and ``trt_pose`` adds up.
    ``trt_pose`` also cuts confidence maps to its square window of int(5 s) cells, s = sqrt(2) sigma.
    The weight is 0 where a person's keypoint is unknown (in the person's box, except on another person's known
    keypoint of that kind) and inside ``ignore`` and ``hidden``; with the ``mask`` "unlabelled" only inside those, with
    "none" nowhere.

    ``native`` chooses the implementation: True the compiled one (DependencyError without it), False numpy, None the
    compiled one where it is installed. They agree to 1e-6.
    """
    if native and draw_native is None:
        raise DependencyError(
            "the compiled extension trt_pose_app._paf is missing",
            hint="install a C++17 compiler and reinstall the package, or let numpy do it",
        )
    limbs = list(skeleton.limbs)
    options: dict[str, Any] = {
        "width": size[0] // stride,
        "height": size[1] // stride,
        "stride": stride,
        "cmap_sigma": cmap_sigma,
        "paf_sigma": paf_sigma,
        "cmap_reach": _REACH[style] * cmap_sigma,
        "paf_reach": _REACH[style] * paf_sigma,
        "square_window": int(5 * np.sqrt(2) * cmap_sigma) // 2 if style == "trt_pose" else -1,
        "uncertain_weight": uncertain_weight,
        "mean": style == "mean",
        "hide_unknown": mask == "unknown",
        "hide_ignored": mask != "none",
    }
    if draw_native is None or native is False:
        targets = Targets(*targets_reference.draw_targets(people, limbs, **options))
    else:
        arrays = (people.xy, people.visible, people.box, people.window, people.ignore)
        targets = Targets(*draw_native(*arrays, limbs, **options))
    if people.hidden is not None and mask != "none":
        rows, columns = size[1] // stride, size[0] // stride
        pixels = people.hidden[: rows * stride, : columns * stride].reshape(rows, stride, columns, stride)
        for weight in (targets.cmap_weight, targets.paf_weight):
            weight *= ~pixels.any(axis=(1, 3))
    return targets
