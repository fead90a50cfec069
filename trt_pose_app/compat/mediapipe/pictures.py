"""The pictures that ``process`` takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.compat.mediapipe.errors import (
    BadAttributeError,
    BadShapeError,
    BadTypeError,
    BadValueError,
    EmptyPictureError,
)
from trt_pose_app.opencv import opencv


def bgr_of(image: Any) -> NDArray[np.uint8]:
    """Return an RGB picture as BGR. Raises what MediaPipe raises for anything else."""
    if not isinstance(image, np.ndarray):
        raise BadAttributeError(
            f"{type(image).__name__!r} object has no attribute 'shape'",
            hint="process takes a numpy array; cv2.imread and VideoCapture.read give None for what they cannot read",
        )
    if image.ndim < 3:
        raise BadShapeError(
            f"tuple index out of range: the picture's shape is {image.shape}",
            hint="convert grey pictures with cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)",
        )
    if image.ndim > 3 or image.shape[2] != 3:
        raise BadValueError(
            f"Input image must contain three channel rgb data. Its shape is {image.shape}",
            hint="convert the picture with cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)",
        )
    if image.dtype != np.uint8:
        raise BadTypeError(
            f"the picture holds {image.dtype}, not uint8", hint="scale it to 0..255 and use astype(np.uint8)"
        )
    if not image.size:
        raise EmptyPictureError(f"the picture is empty: {image.shape}", hint="check where it was read or cut")
    cv2 = opencv()
    bgr: NDArray[np.uint8] = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    return bgr
