"""People cut out of a picture, as a top-down network sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.estimators.crop import Cropper, Crops, sound
from trt_pose_app.models.spec import ModelSpec

Picture = NDArray[np.uint8]


class PersonCutter:
    """Cuts boxes out of pictures at the size and with the margin of a top-down network's spec, as BGR pixels."""

    def __init__(self, spec: ModelSpec) -> None:
        pixels = {"dtype": "uint8", "layout": "nhwc", "colour": "bgr", "mean": (0.0,) * 3, "std": (1.0,) * 3}
        self._cropper = Cropper(spec.input.model_copy(update=pixels))
        self._padding = spec.input.crop_padding

    def __call__(self, image: Picture, boxes: NDArray[np.floating]) -> list[Picture]:
        """Return a crop of ``image`` (H, W, 3) for each of ``boxes`` (N, 4) x0, y0, x1, y1 that has an area."""
        good = boxes[sound(boxes)]
        rows = self._cropper.buffer(len(good))
        if len(good):
            self._cropper.cut(image, Crops.around(good, self._cropper.size, self._padding), rows)
        return list(rows)
