"""An early look at a network in training: PCK from its confidence maps and AP of the people decoded from its maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from trt_pose_app.decode.paf import PafDecoder, PafLayout, native_available
from trt_pose_app.evaluation.average_precision import average_precision
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.augment import FILL
from trt_pose_app.training.oks_matches import oks_matches
from trt_pose_app.training.photo import Photo

Pixels = NDArray[np.uint8]


def letterboxed(photo: Photo, size: int) -> tuple[Pixels, Geometry] | None:
    """Return the photo as the run time lays it into a square input, or None if it cannot be decoded."""
    image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
    if image is None:
        return None
    geometry = Geometry.letterbox((image.shape[1], image.shape[0]), (size, size))
    return (
        cv2.warpAffine(image, geometry.matrix, (size, size), borderValue=(FILL,) * 3),
        geometry,
    )


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures for comparing the steps of one run.

    ``pck``: the share of the main people's sure keypoints found within 0.2 of their torso (see ``reference_px``), the
    strongest cell inside the person's box taken: a measure of the maps alone. ``ap``: COCO's OKS AP of the people that
    the run time's decoder finds, ``ap50`` the same at OKS 0.5; NaN where nobody is labelled.
    """

    pck: float
    ap: float
    ap50: float


@torch.no_grad()
def measure(network: torch.nn.Module, photos: Sequence[Photo], skeleton: Skeleton, size: int, stride: int) -> Quality:
    """Return how well a network in eval mode does on photos letterboxed to ``size`` px."""
    hits = total = 0
    seen, found = [], []
    decoder = paf_decoder(skeleton, stride)
    device = next(network.parameters()).device
    for photo in photos:
        if (laid := letterboxed(photo, size)) is None:
            continue
        image, geometry = laid
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float().to(device)
        maps = {name: m.float().cpu().numpy() for name, m in zip(("cmap", "paf"), network(pixels))}
        seen.append(photo)
        found += decoder.decode(maps, [geometry])
        reference = reference_px(photo, skeleton)
        if reference is None:
            continue
        cmap = maps["cmap"][0]
        sure = photo.visible[photo.main] == 2
        x0, y0, x1, y1 = (geometry.to_input(photo.box[photo.main].reshape(2, 2)).ravel() / stride).astype(int)
        view = cmap[:, max(y0 - 1, 0) : y1 + 2, max(x0 - 1, 0) : x1 + 2]
        row, column = np.divmod(view.reshape(len(cmap), -1).argmax(axis=1), view.shape[2])
        cell = np.stack((column + max(x0 - 1, 0), row + max(y0 - 1, 0)), axis=1)
        place = geometry.to_frame((cell + 0.5) * stride - 0.5)
        distance = np.linalg.norm(place - photo.xy[photo.main], axis=1)
        hits += int((distance[sure] <= 0.2 * reference).sum())
        total += int(sure.sum())
    if not seen:
        return Quality(0.0, np.nan, np.nan)
    ap = average_precision(oks_matches(seen, found, skeleton))
    return Quality(hits / max(total, 1), float(ap.mean()), float(ap[0]))


def paf_decoder(skeleton: Skeleton, stride: int) -> PafDecoder:
    """Return the run time's decoder for the maps of a network in training."""
    layout = PafLayout(skeleton.limbs, component_order="yx", stride=stride)
    return PafDecoder(skeleton, layout, native=native_available())


def reference_px(photo: Photo, skeleton: Skeleton) -> float | None:
    """Return the size that the main person's errors are measured by, or None where it is unknown.

    It is left shoulder to right hip or the other diagonal; without such parts (hands, animals) half the box's larger
    side.
    """
    if photo.main < 0:
        return None
    index = {name: i for i, name in enumerate(skeleton.parts)}
    diagonals = [(f"{a}_shoulder", f"{b}_hip") for a, b in (("left", "right"), ("right", "left"))]
    diagonals = [pair for pair in diagonals if set(pair) <= index.keys()]
    if not diagonals:
        box = photo.box[photo.main]
        return float((box[2:] - box[:2]).max() / 2)
    for shoulder, hip in diagonals:
        ends = [index[shoulder], index[hip]]
        if photo.visible[photo.main, ends].all():
            return float(np.linalg.norm(np.diff(photo.xy[photo.main, ends], axis=0)))
    return None
