"""Photos with what is true and what was found, side by side."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import DrawConfig
from trt_pose_app.evaluation.results import FoundPeople
from trt_pose_app.evaluation.truth import Truth
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.sources.images import read_image
from trt_pose_app.types import Poses, boxes_around

PANEL_PX = 420  # longer side of one panel
_GAP_PX, _JPEG_QUALITY = 6, 82


def panels_jpeg(truth: Truth, index: int, found: Sequence[FoundPeople], paths: Mapping[int, Path]) -> str:
    """Return photo ``index`` of ``truth`` as a data URI: the annotated people, then those of each model."""
    import cv2

    from trt_pose_app.draw import draw_poses

    photo = truth.photos[index]
    image = read_image(paths[photo.id])
    height, width = image.shape[:2]
    scale = PANEL_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
    place = Geometry.stretch((width, height), size)
    known = np.where(photo.visible[..., None] > 0, photo.xy, np.nan)
    annotated = FoundPeople(known, np.ones(len(known)))
    panels = []
    for people, style in [(annotated, DrawConfig(labels=False)), *((people, DrawConfig()) for people in found)]:
        panels.append(draw_poses(small, _as_poses(people, place, truth.skeleton), style))
        panels.append(np.full((size[1], _GAP_PX, 3), 128, np.uint8))
    return jpeg_uri(np.concatenate(panels[:-1], axis=1))


def jpeg_uri(image: NDArray[np.uint8]) -> str:
    """Return a BGR picture as the data URI of a JPEG."""
    import cv2

    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return f"data:image/jpeg;base64,{b64encode(encoded.tobytes()).decode('ascii')}"


def _as_poses(people: FoundPeople, place: Geometry, skeleton: Skeleton) -> Poses:
    seen = (~np.isnan(people.xy)).any(axis=(1, 2))  # somebody without a point, such as a crowd, cannot be drawn
    xy = place.to_input(people.xy[seen]).astype(np.float32)
    missing = np.isnan(xy).any(axis=2)
    person = np.clip(people.score[seen], 0, 1).astype(np.float32)
    return Poses(
        xy,
        np.where(missing, 0, 1).astype(np.float32),
        person,
        boxes_around(xy),
        np.full(len(xy), -1, np.int32),
        skeleton,
    )
