"""Drawing: a picture and people in, a new picture out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from tests.people import a_frame, any_poses, people_at
from trt_pose_app.config.schema import DrawConfig
from trt_pose_app.draw import draw_poses, track_colour
from trt_pose_app.skeleton import COCO17
from trt_pose_app.types import Poses

PLAIN = DrawConfig(labels=False)
GREY = np.full((240, 320, 3), 128, np.uint8)


def changed(image: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return where (H, W) two pictures differ."""
    return (image != result).any(axis=2)


def with_arrays(poses: Poses, **arrays: np.ndarray) -> Poses:
    names = ("xy", "score", "person", "box", "track")
    return Poses.trusted(**{name: arrays.get(name, getattr(poses, name)) for name in names}, skeleton=poses.skeleton)


def test_the_picture_given_stays_as_it_is():
    frame = a_frame()
    before = frame.image.copy()
    result = draw_poses(frame.image, people_at((160, 120)))
    assert np.array_equal(frame.image, before)
    assert result.flags.writeable
    assert (result.shape, result.dtype) == (before.shape, np.uint8)
    assert changed(before, result).any()


def test_nobody_changes_nothing():
    assert np.array_equal(draw_poses(GREY, people_at()), GREY)


def test_left_is_orange_and_right_is_blue():
    poses = people_at((160, 120), size_px=200)
    result = draw_poses(GREY, poses, PLAIN).astype(int)
    for side, sign in (("left", 1), ("right", -1)):
        for part in ("elbow", "wrist", "knee"):
            x, y = poses.xy[0, COCO17.parts.index(f"{side}_{part}")].round().astype(int)
            blue, _, red = result[y, x]
            assert sign * (red - blue) > 100, f"{side} {part}"


def test_keypoints_and_limbs_lie_where_the_pose_is():
    poses = people_at((160, 120), size_px=200)
    drawn = changed(GREY, draw_poses(GREY, poses, PLAIN))
    low, high = poses.xy[0].min(axis=0), poses.xy[0].max(axis=0)
    rows, columns = np.nonzero(drawn)
    assert columns.min() >= low[0] - 6
    assert rows.min() >= low[1] - 6
    assert columns.max() <= high[0] + 6
    assert rows.max() <= high[1] + 6
    for a, b in COCO17.limbs:
        x, y = (poses.xy[0, a] + poses.xy[0, b]).round().astype(int) // 2
        assert drawn[y, x], (COCO17.parts[a], COCO17.parts[b])


def test_keypoints_below_the_least_score_and_their_limbs_are_left_out():
    poses = people_at((160, 120), size_px=200)
    score = poses.score.copy()
    hidden = COCO17.parts.index("left_wrist")
    score[0, hidden] = 0.2
    poses = with_arrays(poses, score=score)
    x, y = poses.xy[0, hidden].round().astype(int)
    assert changed(GREY, draw_poses(GREY, poses, PLAIN))[y, x]
    assert not changed(GREY, draw_poses(GREY, poses, DrawConfig(labels=False, min_score=0.3)))[y, x]


def test_a_larger_person_gets_thicker_limbs_unless_told():
    def ink(size_px: float, style: DrawConfig) -> float:
        image = np.full((1000, 1000, 3), 128, np.uint8)
        return changed(image, draw_poses(image, people_at((500, 500), size_px=size_px), style)).sum() / size_px

    assert ink(800, PLAIN) > 1.8 * ink(200, PLAIN)
    thin = DrawConfig(labels=False, thickness_px=2)
    assert ink(800, thin) < 1.2 * ink(200, thin)


@pytest.mark.parametrize("style", [DrawConfig(labels=True), DrawConfig(labels=False, boxes=True)])
def test_labels_and_boxes_have_the_colour_of_the_track(style: DrawConfig):
    result = draw_poses(GREY, people_at((160, 120), track=3), style)
    assert (result == np.array(track_colour(3))).all(axis=2).sum() > 100


def test_track_colours_are_stable_and_differ_between_neighbours():
    colours = [np.array(track_colour(track)) for track in range(50)]
    assert [tuple(c.tolist()) for c in colours[:3]] == [(102, 102, 255), (255, 147, 102), (102, 255, 191)]
    assert min(np.abs(a - b).max() for a, b in pairwise(colours)) > 60


def test_a_label_stays_inside_the_picture():
    for centre in ((10, 20), (319, 20), (160, 60)):
        drawn = changed(GREY, draw_poses(GREY, people_at(centre, track=12), DrawConfig()))
        label = (draw_poses(GREY, people_at(centre, track=12)) == np.array(track_colour(12))).all(axis=2)
        assert drawn.any()
        assert label.sum() > 200, centre


@given(any_poses())
@settings(max_examples=80, deadline=None)
def test_any_people_can_be_drawn(poses: Poses):
    draw_poses(GREY, poses, DrawConfig(boxes=True))
    draw_poses(np.zeros((1, 1, 3), np.uint8), poses, DrawConfig(boxes=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38])
def test_numbers_that_no_picture_holds_are_left_out(value: float):
    poses = people_at((160, 120))
    xy, box = poses.xy.copy(), poses.box.copy()
    xy[0, 3:8], box[0, 1] = value, value
    draw_poses(GREY, with_arrays(poses, xy=xy, box=box), DrawConfig(boxes=True))
