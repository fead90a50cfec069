"""``mp.solutions.drawing_utils``: landmarks drawn into a picture as MediaPipe draws them, pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.compat.mediapipe.errors import BadValueError
from trt_pose_app.errors import DependencyError
from trt_pose_app.opencv import opencv

cv2 = opencv()

Colour = tuple[int, int, int]  # blue, green, red
Connection = tuple[int, int]
Key = TypeVar("Key")

_PRESENCE_THRESHOLD = 0.5
_VISIBILITY_THRESHOLD = 0.5
_BGR_CHANNELS = 3

WHITE_COLOR = (224, 224, 224)
BLACK_COLOR = (0, 0, 0)
RED_COLOR = (0, 0, 255)
GREEN_COLOR = (0, 128, 0)
BLUE_COLOR = (255, 0, 0)


@dataclass
class DrawingSpec:
    """Colour (blue, green, red), thickness and radius of what is drawn, in pixels; a thickness of -1 fills circles."""

    color: Colour = WHITE_COLOR
    thickness: int = 2
    circle_radius: int = 2


class LandmarkLike(Protocol):
    """A landmark of this package or of protobuf."""

    @property
    def x(self) -> float: ...

    @property
    def y(self) -> float: ...

    @property
    def z(self) -> float: ...

    @property
    def visibility(self) -> float: ...

    @property
    def presence(self) -> float: ...

    def HasField(self, name: str) -> bool: ...  # noqa: N802


class LandmarksLike(Protocol):
    """A list of landmarks of this package or of protobuf."""

    @property
    def landmark(self) -> Collection[Any]: ...


def draw_landmarks(
    image: NDArray[np.uint8],
    landmark_list: LandmarksLike | None,
    connections: Collection[Connection] | None = None,
    landmark_drawing_spec: DrawingSpec | Mapping[int, DrawingSpec] | None = DrawingSpec(color=RED_COLOR),  # noqa: B008
    connection_drawing_spec: DrawingSpec | Mapping[Connection, DrawingSpec] = DrawingSpec(),  # noqa: B008
    is_drawing_landmarks: bool = True,
) -> None:
    """Draw landmarks and their connections into ``image`` (H, W, 3) BGR uint8; None as a list draws nothing.

    Landmarks outside the picture, and those whose visibility or presence is known and below 0.5, are left out.
    Raises ValueError for a picture without three channels or a connection to no landmark.
    """
    if not landmark_list:
        return
    if image.shape[2] != _BGR_CHANNELS:
        raise BadValueError(
            "Input image must contain three channel bgr data.", hint="convert it with cv2.cvtColor before drawing"
        )
    height, width = image.shape[:2]
    pixels = {}
    for index, landmark in enumerate(landmark_list.landmark):
        if _hidden(landmark):
            continue
        pixel = _normalized_to_pixel_coordinates(landmark.x, landmark.y, width, height)
        if pixel is not None:
            pixels[index] = pixel
    for connection in _checked(connections, len(landmark_list.landmark)):
        start, end = connection
        if start in pixels and end in pixels:
            spec = _spec(connection_drawing_spec, connection)
            cv2.line(image, pixels[start], pixels[end], spec.color, spec.thickness)
    if not is_drawing_landmarks or not landmark_drawing_spec:
        return
    for index, pixel in pixels.items():
        spec = _spec(landmark_drawing_spec, index)
        ring = max(spec.circle_radius + 1, int(spec.circle_radius * 1.2))
        cv2.circle(image, pixel, ring, WHITE_COLOR, spec.thickness)
        cv2.circle(image, pixel, spec.circle_radius, spec.color, spec.thickness)


def plot_landmarks(
    landmark_list: LandmarksLike | None,
    connections: Collection[Connection] | None = None,
    landmark_drawing_spec: DrawingSpec = DrawingSpec(color=RED_COLOR, thickness=5),  # noqa: B008
    connection_drawing_spec: DrawingSpec = DrawingSpec(color=BLACK_COLOR, thickness=5),  # noqa: B008
    elevation: int = 10,
    azimuth: int = 10,
) -> None:
    """Show the landmarks and their connections in three dimensions with matplotlib, whose window it opens.

    Raises ValueError for a connection to no landmark, DependencyError without matplotlib.
    """
    if not landmark_list:
        return
    try:
        from matplotlib import pyplot  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise DependencyError("plot_landmarks needs matplotlib", hint="pip install matplotlib") from error
    pyplot.figure(figsize=(10, 10))
    axes = pyplot.axes(projection="3d")
    axes.view_init(elev=elevation, azim=azimuth)
    points = {i: (-p.z, p.x, -p.y) for i, p in enumerate(landmark_list.landmark) if not _hidden(p)}
    for x, y, z in points.values():
        colour, width = _matplotlib_style(landmark_drawing_spec)
        axes.scatter3D(xs=[x], ys=[y], zs=[z], color=colour, linewidth=width)
    for start, end in _checked(connections, len(landmark_list.landmark)):
        if start in points and end in points:
            colour, width = _matplotlib_style(connection_drawing_spec)
            xs, ys, zs = zip(points[start], points[end])
            axes.plot3D(xs=xs, ys=ys, zs=zs, color=colour, linewidth=width)
    pyplot.show()


def _normalized_to_pixel_coordinates(
    normalized_x: float, normalized_y: float, image_width: int, image_height: int
) -> tuple[int, int] | None:
    """Return the pixel of a point given in parts of the picture's width and height, or None outside of it."""
    if not (_in_unit(normalized_x) and _in_unit(normalized_y)):
        return None
    x = min(math.floor(normalized_x * image_width), image_width - 1)
    y = min(math.floor(normalized_y * image_height), image_height - 1)
    return x, y


def _in_unit(value: float) -> bool:
    return (value > 0 or math.isclose(0, value)) and (value < 1 or math.isclose(1, value))


def _hidden(landmark: LandmarkLike) -> bool:
    return (landmark.HasField("visibility") and landmark.visibility < _VISIBILITY_THRESHOLD) or (
        landmark.HasField("presence") and landmark.presence < _PRESENCE_THRESHOLD
    )


def _checked(connections: Collection[Connection] | None, n_landmarks: int) -> Collection[Connection]:
    """Return the connections. Raises ValueError for one to no landmark."""
    for start, end in connections or ():
        if not (0 <= start < n_landmarks and 0 <= end < n_landmarks):
            raise BadValueError(
                f"Landmark index is out of range. Invalid connection from landmark #{start} to landmark #{end}.",
                hint=f"there are {n_landmarks} landmarks, counted from 0",
            )
    return connections or ()


def _spec(specs: DrawingSpec | Mapping[Key, DrawingSpec], key: Key) -> DrawingSpec:
    return specs[key] if isinstance(specs, Mapping) else specs


def _matplotlib_style(spec: DrawingSpec) -> tuple[tuple[float, ...], int]:
    """Return the colour as red, green and blue from 0 to 1, and the thickness."""
    return tuple(channel / 255 for channel in spec.color[::-1]), spec.thickness
