"""A look at every photo before hours are spent on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2

from trt_pose_app.training.photo import Photo


def unreadable(photos: Iterable[Photo]) -> Iterator[str]:
    """Yield a sentence about each photo that cannot be decoded or is not as large as its annotation says."""
    for photo in photos:
        image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
        if image is None:
            yield f"{photo.path}: cannot be decoded"
        elif image.shape[:2] != (photo.height, photo.width):
            yield (
                f"{photo.path}: {image.shape[1]}x{image.shape[0]} pixels, the annotation says "
                f"{photo.width}x{photo.height}"
            )
