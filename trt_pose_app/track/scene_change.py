"""Has the scene changed at once: a cut, another camera, the light switched on?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.opencv import opencv

_SIZE = (32, 18)  # few enough pixels that a person who walks changes little


class SceneChange:
    """Compares each picture with the one before, on 32x18 pixels: people who move do not count, cuts do."""

    def __init__(self, threshold: float) -> None:
        self._cv2 = opencv()
        self._threshold = threshold
        self._before: NDArray[np.uint8] | None = None

    def __call__(self, grey: NDArray[np.uint8]) -> bool:
        """Return whether ``grey`` (H, W) differs from the last picture by more than ``threshold`` of full scale.

        The difference is the mean over pixels; the first picture is no change.
        """
        now = self._cv2.resize(grey, _SIZE, interpolation=self._cv2.INTER_AREA)
        before, self._before = self._before, now
        return before is not None and float(self._cv2.absdiff(now, before).mean()) > 255 * self._threshold
