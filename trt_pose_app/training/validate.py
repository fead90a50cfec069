"""An early look at a network in training: PCK on held-out photos, straight from the confidence maps."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.augment import FILL
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


@torch.no_grad()
def pck(network: torch.nn.Module, photos: Sequence[Photo], skeleton: Skeleton, size: int, stride: int) -> float:
    """Return the share of the main people's sure keypoints found within 0.2 of their torso (see ``reference_px``).

    The strongest cell inside the person's box counts: a measure of the maps alone, for comparing steps of one run.
    """
    hits = total = 0
    device = next(network.parameters()).device
    for photo in photos:
        reference = reference_px(photo, skeleton)
        if reference is None or (laid := letterboxed(photo, size)) is None:
            continue
        image, geometry = laid
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float().to(device)
        cmap = network(pixels)[0][0].float().cpu().numpy()
        sure = photo.visible[photo.main] == 2
        x0, y0, x1, y1 = (geometry.to_input(photo.box[photo.main].reshape(2, 2)).ravel() / stride).astype(int)
        view = cmap[:, max(y0 - 1, 0) : y1 + 2, max(x0 - 1, 0) : x1 + 2]
        row, column = np.divmod(view.reshape(len(cmap), -1).argmax(axis=1), view.shape[2])
        cell = np.stack((column + max(x0 - 1, 0), row + max(y0 - 1, 0)), axis=1)
        found = geometry.to_frame((cell + 0.5) * stride - 0.5)
        distance = np.linalg.norm(found - photo.xy[photo.main], axis=1)
        hits += int((distance[sure] <= 0.2 * reference).sum())
        total += int(sure.sum())
    return hits / max(total, 1)


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
