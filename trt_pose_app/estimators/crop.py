"""Cutting people out of a frame: boxes to scaled, normalised crops, straight into a network's input buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.geometry import Size
from trt_pose_app.models.spec import InputSpec
from trt_pose_app.opencv import opencv

try:
    from trt_pose_app._paf import cut_crops
except ImportError:  # installed where no compiler was
    cut_crops = None  # type: ignore[assignment]

SMALLEST_SIDE_PX = 1e-3
FARTHEST_PX = 1e6  # a box beyond is a mistake, and its scale would leave the range of pixel arithmetic


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """How N boxes lie in their crops: input = ``scale`` * frame + ``shift``, with (N,) and (N, 2) float32."""

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]

    @classmethod
    def around(cls, boxes: NDArray[np.floating], size: Size, padding: float) -> Crops:
        """Return the crops of sound boxes (N, 4), enlarged by ``padding`` and to the aspect ratio of ``size``.

        A box's centre lands on (width / 2, height / 2): mmpose's TopdownAffine without UDP, for all boxes at once.
        """
        width, height = size
        sides = boxes[:, 2:] - boxes[:, :2]
        scale = width / (padding * np.maximum(sides[:, 0], sides[:, 1] * (width / height)))
        shift = np.array([width / 2, height / 2]) - scale[:, None] * (boxes[:, :2] + boxes[:, 2:]) / 2
        return cls(scale.astype(np.float32), shift.astype(np.float32))

    def to_frame(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map keypoints (N, K, 2) from pixels of their crops to pixels of the frame."""
        moved: NDArray[np.float32] = (xy - self.shift[:, None]) / self.scale[:, None, None]
        return moved


def sound(boxes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which of the boxes (N, 4) can be cut: finite, not absurdly far away, and with an area."""
    with np.errstate(invalid="ignore"):
        good: NDArray[np.bool_] = (np.abs(boxes) <= FARTHEST_PX).all(axis=1)
        good &= (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_SIDE_PX).all(axis=1)
    return good


class Cropper:
    """Fills rows of an input buffer with crops, as the spec's [input] table says.

    In C++ and one pass where the input is planar float32 and the extension is installed; else with OpenCV, which
    rounds to whole grey levels in between. ``native=False`` asks for OpenCV. Raises DependencyError without it.
    """

    def __init__(self, spec: InputSpec, *, native: bool | None = None) -> None:
        self.size: Size = (spec.width, spec.height)
        self._spec = spec
        self._order = (0, 1, 2) if spec.colour == "bgr" else (2, 1, 0)  # of the BGR picture
        self._gain = (1 / spec.std[0], 1 / spec.std[1], 1 / spec.std[2])
        self._bias = (-spec.mean[0] / spec.std[0], -spec.mean[1] / spec.std[1], -spec.mean[2] / spec.std[2])
        planar = spec.layout == "nchw" and spec.dtype == "float32"
        self.native = cut_crops is not None and planar and native is not False
        if not self.native:
            self._cv2 = opencv()

    def buffer(self, n: int) -> NDArray[Any]:
        """Return a zeroed input of ``n`` crops."""
        plane = (self._spec.height, self._spec.width)
        shape = (n, 3, *plane) if self._spec.layout == "nchw" else (n, *plane, 3)
        return np.zeros(shape, self._spec.dtype)

    def cut(self, image: NDArray[np.uint8], crops: Crops, rows: NDArray[Any]) -> None:
        """Write the crops of ``image`` (H, W, 3) BGR uint8 into ``rows``, of which there is one for each crop."""
        if self.native:
            if image.strides[1:] != (3, 1):  # such as a mirrored view
                image = np.ascontiguousarray(image)
            cut_crops(
                image,
                crops.scale,
                crops.shift,
                rows,
                source=self._order,
                gain=self._gain,
                bias=self._bias,
                border=self._spec.padding_value,
            )
        else:
            self._warp(image, crops, rows)

    def _warp(self, image: NDArray[np.uint8], crops: Crops, rows: NDArray[Any]) -> None:
        cv2 = self._cv2
        matrices = np.zeros((len(crops.scale), 2, 3), np.float32)
        matrices[:, 0, 0] = matrices[:, 1, 1] = crops.scale
        matrices[:, :, 2] = crops.shift
        pixels = np.empty((self._spec.height, self._spec.width, 3), np.uint8)
        border = (self._spec.padding_value,) * 3
        for matrix, row in zip(matrices, rows):
            cv2.warpAffine(image, matrix, self.size, dst=pixels, borderValue=border)
            planes = cv2.split(pixels)
            for channel, source in enumerate(self._order):
                target = row[channel] if self._spec.layout == "nchw" else row[..., channel]
                self._normalise(planes[source], channel, target)

    def _normalise(self, plane: NDArray[np.uint8], channel: int, target: NDArray[Any]) -> None:
        gain, bias = self._gain[channel], self._bias[channel]
        if target.dtype == np.float32 and target.flags.c_contiguous:
            # One pass over the plane, into the network's own memory.
            self._cv2.addWeighted(plane, gain, plane, 0, bias, dst=target, dtype=self._cv2.CV_32F)
        elif target.dtype == np.uint8:
            target[...] = plane
        else:
            target[...] = plane * np.float32(gain) + np.float32(bias)
