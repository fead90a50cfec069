"""Every way into a network's input leads back exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.errors import ConfigError
from trt_pose_app.geometry import Geometry, invert

sides = st.integers(1, 8192)
sizes = st.tuples(sides, sides)
networks = st.tuples(st.integers(1, 2048), st.integers(1, 2048))
points = st.lists(st.tuples(st.floats(-100, 9000), st.floats(-100, 9000)), min_size=1, max_size=8)


@given(sizes, networks, points, st.booleans())
def test_letterbox_and_stretch_round_trip(frame, network, xy, centre) -> None:  # type: ignore[no-untyped-def]
    for geometry in (Geometry.letterbox(frame, network, centre=centre), Geometry.stretch(frame, network)):
        assert np.abs(geometry.to_frame(geometry.to_input(np.array(xy))) - xy).max() < 1e-3


@given(sizes, networks, points, st.tuples(*[st.floats(0, 4000)] * 2), st.tuples(*[st.floats(1, 4000)] * 2))
def test_affine_crop_round_trips(frame, network, xy, corner, extent) -> None:  # type: ignore[no-untyped-def]
    box = (*corner, corner[0] + extent[0], corner[1] + extent[1])
    geometry = Geometry.affine_crop(frame, box, network)
    assert np.abs(geometry.to_frame(geometry.to_input(np.array(xy))) - xy).max() < 1e-3


@given(sizes, networks)
def test_the_letterboxed_frame_lies_inside_and_keeps_its_edges(frame, network) -> None:  # type: ignore[no-untyped-def]
    geometry = Geometry.letterbox(frame, network)
    left, top, width, height = geometry.content
    corners = geometry.to_input(np.array([[-0.5, -0.5], [frame[0] - 0.5, frame[1] - 0.5]]))
    assert np.allclose(corners, [[left - 0.5, top - 0.5], [left + width - 0.5, top + height - 0.5]], atol=1e-6)
    assert 0 <= left <= left + width <= network[0]
    assert 0 <= top <= top + height <= network[1]


def test_geometry_agrees_with_the_resize_that_opencv_does() -> None:
    frame = np.zeros((90, 120), np.float32)
    frame[40:50, 60:70] = 1  # centre (64.5, 44.5)
    geometry = Geometry.stretch((120, 90), (360, 180))
    resized = cv2.resize(frame, (360, 180))
    y, x = np.nonzero(resized > 0.5)
    assert np.allclose(geometry.to_input(np.array([64.5, 44.5])), [x.mean(), y.mean()], atol=0.51)


def test_affine_crop_is_mmpose_s() -> None:
    # box centre -> (96, 128); the box, 1.25 times enlarged and widened to 3:4, fills the input
    geometry = Geometry.affine_crop((640, 480), (100, 50, 200, 350), (192, 256))
    assert np.allclose(geometry.to_input(np.array([150, 200])), [96, 128])
    assert np.allclose(geometry.matrix[0, 0], 256 / (300 * 1.25))


@pytest.mark.parametrize(
    ("offset", "cell", "pixel"),
    [(0.5, 0, 3.5), (0.5, 1, 11.5), (0.0, 0, 0), (0.0, 1, 8)],  # a cell of stride 8: centre meant, or corner pixel
)
def test_map_cells_lie_where_the_spec_says(offset: float, cell: float, pixel: float) -> None:
    geometry = Geometry.stretch((64, 64), (64, 64))
    matrix = geometry.cell_to_frame(8, offset)
    assert np.allclose(matrix[:, :2] @ [cell, cell] + matrix[:, 2], [pixel, pixel])


def test_cell_to_frame_is_the_inverse_of_the_way_in() -> None:
    geometry = Geometry.letterbox((1920, 1080), (456, 256))
    matrix = geometry.cell_to_frame(8, 0.5)
    cell = np.array([10.25, 7.5])
    frame = matrix[:, :2] @ cell + matrix[:, 2]
    assert np.allclose(geometry.to_input(frame), (cell + 0.5) * 8 - 0.5)


@pytest.mark.parametrize("box", [(0, 0, 0, 10), (5, 5, 4, 10), (0, 0, np.nan, 10), (0, 0, np.inf, 10)])
def test_a_box_without_area_is_refused(box) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="cannot crop"):
        Geometry.affine_crop((640, 480), box, (192, 256))


def test_sizes_start_at_one() -> None:
    with pytest.raises(ConfigError, match="sizes start at 1"):
        Geometry.letterbox((0, 480), (256, 256))


def test_a_flattening_map_has_no_inverse() -> None:
    with pytest.raises(ConfigError, match="inverse"):
        invert(np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]))
