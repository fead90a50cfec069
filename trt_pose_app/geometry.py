"""The exact map between frame pixels, network-input pixels and output-map cells, and its inverse.

Frame and input coordinates are pixels with pixel **centres** at integers, x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError

Size = tuple[int, int]  # width, height


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """How one frame was laid into one network input.

    ``matrix`` is the (2, 3) float64 affine map frame -> input. ``content`` is the input rectangle
    (left, top, width, height) that a plain resize of the whole frame fills, or None for a crop, which
    needs a warp.
    """

    frame_size: Size
    input_size: Size
    matrix: NDArray[np.float64]
    content: tuple[int, int, int, int] | None = None

    @classmethod
    def stretch(cls, frame_size: Size, input_size: Size) -> Geometry:
        """Fill the input with the whole frame; the aspect ratio is not kept (trt_pose's convention)."""
        return cls._resized(frame_size, input_size, (0, 0, *input_size))

    @classmethod
    def letterbox(cls, frame_size: Size, input_size: Size, *, centre: bool = True) -> Geometry:
        """Fit the whole frame into the input at its own aspect ratio and pad the rest.

        The frame lies in the middle, or at the top left with ``centre=False`` (YOLOX, RTMDet).
        """
        _check_sizes(frame_size, input_size)
        scale = min(input_size[0] / frame_size[0], input_size[1] / frame_size[1])
        width, height = (max(1, min(limit, round(side * scale))) for side, limit in zip(frame_size, input_size))
        left, top = ((input_size[0] - width) // 2, (input_size[1] - height) // 2) if centre else (0, 0)
        return cls._resized(frame_size, input_size, (left, top, width, height))

    @classmethod
    def affine_crop(
        cls, frame_size: Size, box: tuple[float, float, float, float], input_size: Size, *, padding: float = 1.25
    ) -> Geometry:
        """Cut the box (x0, y0, x1, y1) in frame pixels, enlarged by ``padding`` and to the input's aspect ratio.

        The box's centre lands on (width / 2, height / 2), as in mmpose's TopdownAffine without UDP.
        """
        _check_sizes(frame_size, input_size)
        x0, y0, x1, y1 = box
        if not (np.isfinite(box).all() and x1 > x0 and y1 > y0 and padding > 0):
            raise ConfigError(f"cannot crop the box {box}", hint="give finite corners with x0 < x1 and y0 < y1")
        width, height = input_size
        crop_width = padding * max(x1 - x0, (y1 - y0) * width / height)
        k = width / crop_width
        matrix = np.array([[k, 0, width / 2 - k * (x0 + x1) / 2], [0, k, height / 2 - k * (y0 + y1) / 2]])
        return cls._frozen(frame_size, input_size, matrix, None)

    def to_input(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map frame pixels (..., 2) to input pixels (..., 2)."""
        return _apply(self.matrix, xy)

    def to_frame(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) to frame pixels (..., 2)."""
        return _apply(invert(self.matrix), xy)

    def cell_to_frame(self, stride: float, map_offset: float) -> NDArray[np.float64]:
        """Return the (2, 3) affine map from output-map cells to frame pixels.

        A cell c lies at input pixel ``(c + map_offset) * stride - map_offset``: an offset of 0.5 says that the
        cell covers ``stride`` pixels and its centre is meant, 0 that the map was sampled at every stride-th pixel.
        """
        shift = map_offset * stride - map_offset
        cell_to_input = np.array([[stride, 0, shift], [0, stride, shift]])
        inverse = invert(self.matrix)
        result: NDArray[np.float64] = inverse[:, :2] @ cell_to_input
        result[:, 2] += inverse[:, 2]
        return result

    @classmethod
    def _resized(cls, frame_size: Size, input_size: Size, content: tuple[int, int, int, int]) -> Geometry:
        _check_sizes(frame_size, input_size)
        left, top, width, height = content
        sx, sy = width / frame_size[0], height / frame_size[1]
        # Pixel edges scale about 0, so centres (edge + 0.5) keep half a pixel: what an image resize does.
        matrix = np.array([[sx, 0, 0.5 * sx - 0.5 + left], [0, sy, 0.5 * sy - 0.5 + top]])
        return cls._frozen(frame_size, input_size, matrix, content)

    @classmethod
    def _frozen(
        cls, frame_size: Size, input_size: Size, matrix: NDArray[np.float64], content: tuple[int, int, int, int] | None
    ) -> Geometry:
        matrix.setflags(write=False)
        return cls(frame_size, input_size, matrix, content)


def invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 3) inverse of a (2, 3) affine map."""
    (a, b, tx), (c, d, ty) = matrix.tolist()
    det = a * d - b * c
    if det == 0:
        raise ConfigError("an affine map that flattens the plane has no inverse", hint="check the sizes it is made of")
    inverse: NDArray[np.float64] = np.array([[d, -b, b * ty - d * tx], [-c, a, c * tx - a * ty]]) / det
    return inverse


def _apply(matrix: NDArray[np.float64], xy: NDArray[np.floating]) -> NDArray[np.float64]:
    mapped: NDArray[np.float64] = np.asarray(xy, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def _check_sizes(frame_size: Size, input_size: Size) -> None:
    if min(*frame_size, *input_size) < 1:
        raise ConfigError(f"cannot fit a frame of {frame_size} into an input of {input_size}", hint="sizes start at 1")
