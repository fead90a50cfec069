"""Where people have been: kept for a while, by id, and drawn behind them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.people import people_at
from trt_pose_app.config.schema import DrawConfig
from trt_pose_app.draw import draw_trails, track_colour
from trt_pose_app.skeleton import COCO17, HAND21
from trt_pose_app.trails import Trails
from trt_pose_app.types import Poses

GREY = np.full((240, 320, 3), 128, np.uint8)


def walked(trails: Trails, frames: int, track: int = 3, step_px: float = 10) -> None:
    for index in range(frames):
        trails.add(people_at((50 + step_px * index, 120), track=track), index / 10)


def test_a_trail_is_as_long_as_told_and_runs_between_the_hips():
    trails = Trails(0.5)
    walked(trails, 20)
    (path,) = trails.paths().values()
    assert path == pytest.approx(np.array([(50 + 10 * n, 120) for n in range(14, 20)]))


def test_people_without_an_id_leave_none():
    trails = Trails(1)
    walked(trails, 5, track=-1)
    assert trails.paths() == {}


def test_a_trail_fades_after_its_person_has_gone():
    trails = Trails(0.5)
    walked(trails, 5)
    trails.add(people_at(), 0.6)
    assert 0 < len(trails.paths()[3]) < 5
    trails.add(people_at(), 1.0)
    assert trails.paths() == {}


def test_no_length_no_trail():
    trails = Trails(0)
    walked(trails, 5)
    assert all(len(path) < 2 for path in trails.paths().values())


def test_a_clock_that_runs_backwards_begins_anew():
    trails = Trails(10)
    walked(trails, 5)
    trails.add(people_at((10, 10), track=3), 0.0)
    assert len(trails.paths()[3]) == 1


def test_hidden_hips_leave_a_gap_and_hands_have_a_middle():
    trails = Trails(10)
    poses = people_at((100, 100), track=1)
    xy, score = poses.xy.copy(), poses.score.copy()
    hip = COCO17.parts.index("left_hip")
    xy[0, hip], score[0, hip] = np.nan, 0
    trails.add(Poses(xy, score, poses.person, poses.box, poses.track, COCO17), 0.0)
    assert trails.paths() == {}
    hand = Poses(
        np.zeros((1, 21, 2), np.float32), np.ones((1, 21), np.float32), np.ones(1, np.float32),
        np.array([(10, 20, 30, 60)], np.float32), np.ones(1, np.int32), HAND21,
    )  # fmt: skip
    trails = Trails(10)
    trails.add(hand, 0.0)
    assert trails.paths()[1].tolist() == [[20, 40]]


def test_a_trail_is_drawn_in_its_ids_colour_and_thin_where_it_is_old():
    path = np.array([(20, 120), (100, 120), (200, 120), (300, 120)], np.float32)
    result = draw_trails(GREY, {3: path}, DrawConfig(thickness_px=9))
    assert np.array_equal(GREY, np.full_like(GREY, 128))
    assert tuple(result[120, 250].tolist()) == track_colour(3)
    changed = (result != GREY).any(axis=2).sum(axis=0)
    assert 0 < changed[50] < changed[150] < changed[250]


@pytest.mark.parametrize(
    "paths",
    [
        {},
        {1: np.empty((0, 2), np.float32)},
        {1: np.array([(5, 5)], np.float32)},
        {1: np.full((3, 2), 3e38, np.float32)},
    ],
    ids=["nobody", "empty", "one point", "outside every picture"],
)
def test_without_a_line_the_picture_stays(paths: dict[int, np.ndarray]):
    assert np.array_equal(draw_trails(GREY, paths), GREY)
