"""`draw_landmarks` paints the same pixels as MediaPipe 0.10.21, and refuses what it refuses."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from tests.compat import drawing_cases
from trt_pose_app.compat import mediapipe as mp
from trt_pose_app.compat.mediapipe.framework.formats import landmark_pb2
from trt_pose_app.errors import DependencyError, TrtPoseError

drawing = mp.solutions.drawing_utils
HASHES: dict[str, str] = json.loads(drawing_cases.HASHES.read_text())


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    return drawing_cases.draw_all(mp, landmark_pb2)


def test_one_picture_whole(drawn: dict[str, np.ndarray]) -> None:
    # Before the hashes, because a difference can be looked at.
    np.testing.assert_array_equal(drawn[drawing_cases.WHOLE], cv2.imread(str(drawing_cases.PICTURE)))


@pytest.mark.parametrize("name", HASHES)
def test_same_pixels(name: str, drawn: dict[str, np.ndarray]) -> None:
    assert drawing_cases.hashes(drawn)[name] == HASHES[name]


def test_every_case_is_compared(drawn: dict[str, np.ndarray]) -> None:
    assert drawn.keys() == HASHES.keys()
    untouched = {name for name, picture in drawn.items() if np.array_equal(picture, drawing_cases.canvas())}
    assert untouched == {"nobody", "empty_list"}


@pytest.mark.parametrize(
    ("x", "y", "pixel"),
    [
        (0.0, 0.0, (0, 0)),
        (1.0, 1.0, (639, 479)),  # the last pixel, not the one beyond
        (0.5, 0.25, (320, 120)),
        (0.9999, 0.0001, (639, 0)),
        (1.0 + 1e-12, 0.5, (639, 240)),  # as good as 1
        (-1e-12, 0.5, None),  # nothing is as good as 0
        (-0.01, 0.5, None),
        (0.5, 1.01, None),
        (float("nan"), 0.5, None),
    ],
)
def test_pixels_of_normalised_places(x: float, y: float, pixel: tuple[int, int] | None) -> None:
    assert drawing._normalized_to_pixel_coordinates(x, y, 640, 480) == pixel


@pytest.mark.parametrize("shape", [(8, 8, 4), (8, 8, 1)])
def test_only_pictures_of_three_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="three channel bgr"):
        drawing.draw_landmarks(np.zeros(shape, np.uint8), drawing_cases.person(landmark_pb2, 1))


@pytest.mark.parametrize("connection", [(0, 33), (-1, 2)])
def test_connections_to_no_landmark(connection: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"out of range\. Invalid connection from landmark #") as caught:
        drawing.draw_landmarks(drawing_cases.canvas(), drawing_cases.person(landmark_pb2, 1), [connection])
    assert isinstance(caught.value, TrtPoseError)
    assert "33 landmarks" in caught.value.hint


def test_duck_typed_landmarks_draw_alike() -> None:
    class Landmark:
        def __init__(self, other: Any) -> None:
            self.x, self.y, self.z, self.visibility, self.presence = other.x, other.y, 0.0, other.visibility, 0.0

        def HasField(self, name: str) -> bool:  # noqa: N802
            return name != "presence"

    class Landmarks:
        landmark = tuple(Landmark(other) for other in drawing_cases.person(landmark_pb2, 2, visibility=0.9).landmark)

    picture = drawing_cases.canvas()
    drawing.draw_landmarks(
        picture,
        Landmarks(),
        mp.solutions.pose.POSE_CONNECTIONS,
        mp.solutions.drawing_styles.get_default_pose_landmarks_style(),
    )
    np.testing.assert_array_equal(picture, cv2.imread(str(drawing_cases.PICTURE)))


class Axes:
    """Stands for matplotlib's, which is no dependency: writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **options: self.calls.append((name, options)) or self


def test_plot_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = Axes()
    monkeypatch.setitem(sys.modules, "matplotlib", type(sys)("matplotlib"))
    monkeypatch.setattr(sys.modules["matplotlib"], "pyplot", pyplot, raising=False)
    points = landmark_pb2.NormalizedLandmarkList()
    points.landmark.add(x=0.25, y=0.5, z=-0.125, visibility=0.9)
    points.landmark.add(x=0.5, y=0.5)
    points.landmark.add(x=0.75, y=0.5, visibility=0.1)
    drawing.plot_landmarks(points, [(0, 1), (1, 2)])
    names = [name for name, _ in pyplot.calls]
    assert names == ["figure", "axes", "view_init", "scatter3D", "scatter3D", "plot3D", "show"]
    assert pyplot.calls[3][1] == {"xs": [0.125], "ys": [0.25], "zs": [-0.5], "color": (1.0, 0.0, 0.0), "linewidth": 5}
    assert pyplot.calls[5][1]["ys"] == (0.25, 0.5)


def test_plot_landmarks_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing.plot_landmarks(None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError, match="matplotlib"):
        drawing.plot_landmarks(landmark_pb2.NormalizedLandmarkList())


def test_specs_are_independent_values() -> None:
    spec = drawing.DrawingSpec(color=(1, 2, 3))
    assert spec == drawing.DrawingSpec((1, 2, 3), 2, 2)
    other = copy.copy(spec)
    other.thickness = 5
    assert spec.thickness == 2
