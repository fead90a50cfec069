"""Boxes around known keypoints."""

from __future__ import annotations

import numpy as np
import pytest

from trt_pose_app.decode.pose_boxes import pose_boxes


@pytest.mark.parametrize(
    ("points", "box"),
    [
        ([(0, 0), (100, 50)], (0, 0, 100, 50)),
        ([(10, 10), (90, 14)], (10, 2, 90, 22)),  # no side under 20 px
        ([(30, 40)], (20, 30, 40, 50)),
        ([], (np.nan,) * 4),
    ],
)
def test_a_box_holds_the_valid_keypoints_only(
    points: list[tuple[float, float]], box: tuple[float, float, float, float]
) -> None:
    xy, valid = np.full((1, 3, 2), np.nan), np.zeros((1, 3), np.bool_)
    xy[0, : len(points)] = np.reshape(points, (-1, 2))
    valid[0, : len(points)] = True
    np.testing.assert_array_equal(pose_boxes(xy, valid)[0], box)
    xy[~valid] = -1000  # a placeholder that must not count
    np.testing.assert_array_equal(pose_boxes(xy, valid)[0], box)


def test_nobody_has_no_box() -> None:
    assert pose_boxes(np.zeros((0, 17, 2)), np.zeros((0, 17), np.bool_)).shape == (0, 4)
