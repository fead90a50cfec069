"""Pictures turned upright."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DependencyError

Flip = Literal["none", "rotate-180", "horizontal", "vertical"]
_FLIP_CODES = {"rotate-180": -1, "horizontal": 1, "vertical": 0}


def flipped(image: NDArray[np.uint8], flip: Flip) -> NDArray[np.uint8]:
    """Return the (H, W, 3) image as a camera hung that way should have given it."""
    if flip == "none":
        return image
    turned: NDArray[np.uint8] = _cv2().flip(image, _FLIP_CODES[flip])
    return turned


def rotated(image: NDArray[np.uint8], counterclockwise_deg: float) -> NDArray[np.uint8]:
    """Return the image turned to the nearest quarter: (H, W, 3) or (W, H, 3)."""
    cv2 = _cv2() if counterclockwise_deg else None
    quarters = round(counterclockwise_deg / 90) % 4
    if cv2 is None or quarters == 0:
        return image
    codes = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
    turned: NDArray[np.uint8] = cv2.rotate(image, codes[quarters - 1])
    return turned


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DependencyError("turning pictures needs OpenCV", hint="pip install 'trt-pose-app[cpu]'") from error
    return cv2
