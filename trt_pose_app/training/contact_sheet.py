"""A sheet of held-out photos with what a network in training finds on them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from trt_pose_app.draw import draw_poses
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.validate import letterboxed, paf_decoder

_COLUMNS = 4


@torch.no_grad()
def contact_sheet(
    network: torch.nn.Module, photos: Sequence[Photo], skeleton: Skeleton, size: int, stride: int
) -> NDArray[np.uint8]:
    """Return the photos in rows of four, each letterboxed to ``size`` px, with the people that the decoder finds.

    Below each photo lies its strongest confidence map value per cell, white for 1.
    """
    decoder = paf_decoder(skeleton, stride)
    device = next(network.parameters()).device
    tiles = []
    for photo in photos:
        if (laid := letterboxed(photo, size)) is None:
            continue
        image = laid[0]
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float().to(device)
        cmap, paf = (maps.float().cpu().numpy() for maps in network(pixels))
        poses = decoder.decode({"cmap": cmap, "paf": paf}, [Geometry.stretch((size, size), (size, size))])[0]
        strongest = (255 * np.clip(cmap[0].max(axis=0), 0, 1)).astype(np.uint8)
        grey = cv2.resize(strongest, (size, size), interpolation=cv2.INTER_NEAREST)
        tiles.append(np.concatenate((draw_poses(image, poses), cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))))
    tiles += [np.zeros((2 * size, size, 3), np.uint8)] * (-len(tiles) % _COLUMNS)
    rows = [np.concatenate(tiles[i : i + _COLUMNS], axis=1) for i in range(0, len(tiles), _COLUMNS)]
    return np.concatenate(rows) if rows else np.zeros((1, 1, 3), np.uint8)
