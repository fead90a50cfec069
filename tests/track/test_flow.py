"""Optical flow carries people as far as pixels tell, and says so where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.estimators.street import HEIGHT, WIDTH, Street, Walker
from tests.people import people_at
from trt_pose_app.config.schema import GapConfig
from trt_pose_app.skeleton import COCO17
from trt_pose_app.track.flow import OpticalFlow
from trt_pose_app.track.moved_box import moved_boxes
from trt_pose_app.track.scene_change import SceneChange
from trt_pose_app.types import Poses, boxes_around

SIZE = (WIDTH, HEIGHT)


def truth(street: Street, index: int, *, missing: tuple[int, ...] = ()) -> Poses:
    """Everybody on the street, as a perfect network would find them."""
    xy = np.array([walker.xy(index) for walker in street.walkers], np.float32)
    score = np.full(xy.shape[:2], 0.8, np.float32)
    xy[:, list(missing)], score[:, list(missing)] = np.nan, 0
    n_people = len(xy)
    track = np.arange(n_people, dtype=np.int32)
    return Poses(xy, score, np.linspace(0.9, 0.5, n_people, dtype=np.float32), boxes_around(xy), track, COCO17)


def checked(poses: Poses) -> Poses:
    return Poses(poses.xy, poses.score, poses.person, poses.box, poses.track, poses.skeleton)


def carry(street: Street, start: Poses, count: int, **params: float) -> list[Poses]:
    """Return the people of frames 1 .. ``count`` after ``start`` in frame 0."""
    flow = OpticalFlow(GapConfig.model_validate(params))
    flow.start(start, flow.grey(street.frame(0).image), SIZE)
    carried = [flow.carry(flow.grey(street.frame(index).image)) for index in range(1, count + 1)]
    return [checked(one.poses) for one in carried if one is not None]


@pytest.mark.parametrize("speed", [0, 0.5, 3.3, 12], ids=lambda speed: f"{speed} px a frame")
@pytest.mark.parametrize("side", [320, 480, 640])
def test_keypoints_go_where_the_pixels_go(speed: float, side: int) -> None:
    street = Street([Walker(200, speed), Walker(450, -speed / 2, height_px=160)])
    for index, poses in enumerate(carry(street, truth(street, 0), 3, flow_side_px=side), 1):
        expected = truth(street, index)
        apart = np.hypot(*np.moveaxis(poses.xy - expected.xy, 2, 0))
        assert np.nanmedian(apart) < 0.5
        assert np.isfinite(apart).mean() > 0.7
        np.testing.assert_array_equal(poses.track, expected.track)


def test_a_still_picture_moves_nobody() -> None:
    street = Street([Walker(200, 0)])
    (poses,) = carry(street, truth(street, 0), 1)
    np.testing.assert_allclose(poses.xy, truth(street, 0).xy, atol=0.02)
    np.testing.assert_allclose(poses.box, truth(street, 0).box, atol=0.02)


def test_missing_keypoints_stay_missing() -> None:
    street = Street([Walker(200, 2)])
    for poses in carry(street, truth(street, 0, missing=(0, 9, 15)), 3):
        assert np.isnan(poses.xy[0, [0, 9, 15]]).all()
        assert (poses.score[0, [0, 9, 15]] == 0).all()


def test_scores_fade_by_the_same_share_in_every_frame() -> None:
    street = Street([Walker(200, 0), Walker(420, 0)])
    for index, poses in enumerate(carry(street, truth(street, 0), 3, score_decay=0.5), 1):
        np.testing.assert_allclose(poses.score[poses.score > 0], 0.8 * 0.5**index, rtol=1e-6)
        np.testing.assert_allclose(poses.person, np.array([0.9, 0.5]) * 0.5**index, rtol=1e-6)


def test_keypoints_that_leave_the_picture_are_missing_and_then_the_person_is() -> None:
    street = Street([Walker(40, -9), Walker(400, 0)])
    counts = [np.isfinite(poses.xy[poses.track == 0, :, 0]).sum() for poses in carry(street, truth(street, 0), 10)]
    assert len(counts) == 10  # leaving is not being lost
    assert (np.diff(counts) <= 0).all()
    assert counts[-1] == 0


def test_keypoints_outside_the_picture_are_not_followed() -> None:
    street = Street([Walker(10, 0)])
    (poses,) = carry(street, truth(street, 0), 1)
    outside = truth(street, 0).xy[0, :, 0] < -0.5
    assert outside.any()
    assert np.isnan(poses.xy[0, outside]).all()


def test_a_person_who_vanishes_is_lost() -> None:
    street = Street([Walker(200, 0, last=1), Walker(420, 0)])
    assert carry(street, truth(street, 0), 1) == []


def test_nothing_is_known_before_the_start_or_of_another_size() -> None:
    flow = OpticalFlow(GapConfig())
    grey = flow.grey(Street([]).frame(0).image)
    assert flow.carry(grey) is None
    flow.start(people_at((200, 180)), grey, SIZE)
    assert flow.carry(grey[:-1]) is None


def test_nobody_stays_nobody() -> None:
    street = Street([])
    (poses,) = carry(street, Poses.empty(COCO17), 1)
    assert len(poses) == 0


def test_scores_that_fade_away_make_keypoints_missing() -> None:
    street = Street([Walker(200, 0)])
    tiny = truth(street, 0)
    faint = np.where(np.arange(17) < 2, np.float32(1e-45), np.float32(0.8))[None].astype(np.float32)
    (poses,) = carry(street, Poses(tiny.xy, faint, tiny.person, tiny.box, tiny.track, COCO17), 1, score_decay=0.1)
    assert np.isnan(poses.xy[0, :2]).all()


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1080, 1920), (270, 480)), ((1920, 1080), (480, 270)), ((360, 640), (270, 480)), ((100, 50), (100, 50))],
)
def test_the_grey_picture_is_small_and_never_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert OpticalFlow(GapConfig()).grey(np.zeros((*size, 3), np.uint8)).shape == expected


BOX = np.array([[0, 0, 10, 20]], np.float32)
BODY = np.array([[[2, 2], [8, 18], [5, 5]]], np.float32)
NAN = np.float32(np.nan)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BODY + np.array([3, -1]), [[3, -1, 13, 19]]),  # moved
        (BODY * 2, [[2, 2, 18, 38]]),  # grown: the margins stay
        (np.where([[[True], [False], [True]]], BODY + 1, NAN), [[1, 1, 11, 21]]),  # only what is there both times
        (np.full_like(BODY, NAN), [[0, 0, 10, 20]]),  # nothing known
        (np.broadcast_to(BODY[:, :1] + np.array([30, 0]), BODY.shape), [[30, 0, 34, 4]]),  # shrunk to a point
    ],
)
def test_a_box_goes_with_its_keypoints(after: np.ndarray, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(moved_boxes(BOX, BODY, after.astype(np.float32)), expected)


def test_a_box_never_turns_inside_out() -> None:
    wide = np.array([[[0, 0], [100, 100]]], np.float32)
    x0, y0, x1, y1 = moved_boxes(BOX, wide, np.full_like(wide, 50))[0]
    assert x0 <= x1
    assert y0 <= y1


def test_people_who_walk_are_no_scene_change_but_another_street_is() -> None:
    changed = SceneChange(0.1)
    flow = OpticalFlow(GapConfig())
    street = Street([Walker(100, 9), Walker(500, -9)])
    assert not any(changed(flow.grey(street.frame(index).image)) for index in range(30))
    assert changed(flow.grey(street.frame(29).image // 3))
    assert not changed(flow.grey(street.frame(29).image // 3))
