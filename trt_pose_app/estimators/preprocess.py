"""Frame -> network input, as the ModelSpec says."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError
from trt_pose_app.geometry import Geometry, Size
from trt_pose_app.models.spec import InputSpec
from trt_pose_app.opencv import opencv

LARGEST_SIDE_PX = 8192  # beyond it there is a typing mistake, and no memory


class Preprocessor:
    """Resizes a BGR picture into the network's input tensor and remembers where every pixel went.

    ``size`` is None for the spec's own size, (0, height) for a width that follows each frame's aspect ratio, or
    (width, height). Raises ConfigError for a size the network cannot take, DependencyError without OpenCV.
    """

    def __init__(self, spec: InputSpec, size: Size | None = None) -> None:
        self._cv2 = opencv()
        self._spec = spec
        if size is not None:
            _check(size, spec.multiple_of)
        self._size = size or (spec.width, spec.height)
        self._channels = (0, 1, 2) if spec.colour == "bgr" else (2, 1, 0)  # of the BGR picture
        self._mean = np.asarray(spec.mean, np.float32).reshape(3, 1, 1)
        self._scale = (1 / np.asarray(spec.std, np.float32)).reshape(3, 1, 1)
        # A camera's frames share one geometry; decoders keep what they derive from it.
        self.geometry = lru_cache(maxsize=16)(self._geometry)
        self._normalise = spec.mean != (0.0, 0.0, 0.0) or spec.std != (1.0, 1.0, 1.0)

    def _geometry(self, frame_size: Size) -> Geometry:
        """Return how a frame of (width, height) lies in the input."""
        width, height = self._size
        if width == 0:
            multiple = self._spec.multiple_of
            width = max(1, -(-round(frame_size[0] * height / frame_size[1]) // multiple)) * multiple
        size = (width, height)
        if self._spec.resize == "stretch":
            return Geometry.stretch(frame_size, size)
        if self._spec.resize == "affine-crop":
            # The picture is a crop already: no second margin around it.
            return Geometry.affine_crop(frame_size, (0, 0, *frame_size), size, padding=1.0)
        return Geometry.letterbox(frame_size, size, centre=self._spec.resize == "letterbox")

    def __call__(self, image: NDArray[np.uint8]) -> tuple[NDArray[Any], Geometry]:
        """Return the input tensor with its batch axis, and its geometry. ``image`` is (H, W, 3) BGR uint8."""
        geometry = self.geometry((image.shape[1], image.shape[0]))
        placed = self._place(image, geometry)
        if self._spec.layout == "nhwc":
            placed = placed[:, :, ::-1] if self._spec.colour == "rgb" else placed
            if self._spec.dtype == "uint8":
                return np.ascontiguousarray(placed)[None], geometry
            pixels = placed.astype(np.float32)
            if self._normalise:
                pixels -= self._mean.ravel()
                pixels *= self._scale.ravel()
            return np.ascontiguousarray(pixels, self._spec.dtype)[None], geometry
        if self._spec.dtype == "uint8":
            return np.ascontiguousarray(placed.transpose(2, 0, 1)[list(self._channels)])[None], geometry
        planes = self._cv2.split(placed)
        tensor = np.empty((1, 3, *placed.shape[:2]), np.float32)
        for channel, source in enumerate(self._channels):
            tensor[0, channel] = planes[source]
        if self._normalise:
            tensor -= self._mean
            tensor *= self._scale
        return tensor.astype(self._spec.dtype, copy=False), geometry

    def _place(self, image: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
        cv2, (width, height), padding = self._cv2, geometry.input_size, self._spec.padding_value
        if geometry.content is None:
            return cv2.warpAffine(image, geometry.matrix, (width, height), borderValue=(padding,) * 3)  # type: ignore[no-any-return]
        left, top, w, h = geometry.content
        if (w, h) == (width, height):
            return cv2.resize(image, (w, h))  # type: ignore[no-any-return]
        placed = np.full((height, width, 3), padding, np.uint8)
        cv2.resize(image, (w, h), dst=placed[top : top + h, left : left + w])
        return placed


def _check(size: Size, multiple: int) -> None:
    """Raise ConfigError unless (width, height), with 0 for a free width, is what a network can take."""
    width, height = size
    if height < 1 or max(size) > LARGEST_SIDE_PX or width % multiple or height % multiple:
        nearest = (max(1, round(min(side, LARGEST_SIDE_PX) / multiple)) * multiple for side in (height, width))
        text, better = (f"{h}x{w}" if width else f"{h}" for h, w in ((height, width), tuple(nearest)))
        raise ConfigError(
            f"the network cannot take the input size {text}",
            hint=f"height and width are multiples of {multiple} up to {LARGEST_SIDE_PX}, such as {better}",
        )
