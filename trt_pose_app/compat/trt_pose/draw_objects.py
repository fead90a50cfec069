"""trt_pose's DrawObjects: limbs as green lines, drawn into the picture itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.compat.trt_pose.parse_objects import as_array
from trt_pose_app.errors import DependencyError

_GREEN, _THICKNESS_PX = (0, 255, 0), 2


class DrawObjects:
    """Callable with ``(image, object_counts, objects, normalized_peaks)``, what ``ParseObjects`` returned.

    Draws the first frame's people into ``image`` (H, W, 3) uint8 and returns nothing. Raises DependencyError without
    OpenCV. A coordinate that is not finite is left out, where the original raises.
    """

    def __init__(self, topology: Any) -> None:
        self.topology = topology

    def __call__(self, image: NDArray[np.uint8], object_counts: Any, objects: Any, normalized_peaks: Any) -> None:
        try:
            import cv2
        except ImportError as error:
            raise DependencyError(
                "drawing needs OpenCV",
                hint="pip install opencv-python-headless, or on a Jetson use the system's python3-opencv",
            ) from error
        height, width = image.shape[:2]
        people = as_array(objects)[0][: int(as_array(object_counts)[0])]
        places = as_array(normalized_peaks)[0] * (height, width)
        for person in people:
            for _, _, a, b in as_array(self.topology).tolist():
                if person[a] < 0 or person[b] < 0:
                    continue
                ends = np.stack((places[a, person[a]], places[b, person[b]]))
                # An odd map can put a peak far outside; OpenCV's fixed-point lines must not overflow.
                if np.isfinite(ends).all() and np.abs(ends).max() < 1 << 15:
                    (y0, x0), (y1, x1) = np.rint(ends).astype(int).tolist()
                    cv2.line(image, (x0, y0), (x1, y1), _GREEN, _THICKNESS_PX)
