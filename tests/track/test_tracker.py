"""Ids: the same for the same person, for as long as nobody could tell otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.people import any_poses, people_at
from tests.track.mot import Score, score
from tests.track.scene import HEIGHT, WIDTH, Scene, Walker, busy_street
from trt_pose_app.config.schema import ModelConfig, TrackConfig
from trt_pose_app.skeleton import COCO17
from trt_pose_app.track import Tracker
from trt_pose_app.types import Poses

SIZE = (WIDTH, HEIGHT)
AT_ONCE = TrackConfig(birth_frames=1)


def followed(scene: Scene, params: TrackConfig | None = None) -> Score:
    tracker = Tracker(params or TrackConfig())
    return score([(truth, tracker.update(poses, at_s, SIZE)) for at_s, truth, poses in scene])


def ids(tracker: Tracker, frames: Iterable[Sequence[tuple[float, float]]], fps: float = 30) -> list[list[int]]:
    """Return the ids in each frame of people at the given places."""
    return [tracker.update(people_at(*places), index / fps, SIZE).track.tolist() for index, places in enumerate(frames)]


# --- a busy street ---


@pytest.mark.parametrize("fps", [30, 15])
@pytest.mark.parametrize("seed", range(4))
def test_nobody_changes_id_on_a_busy_street(fps: float, seed: int):
    """People cross, hide for ten frames, leave and enter; 3 % of people and 5 % of keypoints are not found."""
    result = followed(busy_street(fps, seed))
    assert result.switches == 0
    assert result.ids == 9  # one for each person: who hid has come back as himself
    assert result.ghosts == 0
    assert result.mota > 0.92
    assert result.idf1 > 0.95


def test_a_poor_network_costs_frames_and_few_ids():
    results = [followed(busy_street(30, seed, noise=1.0, misses=0.1, part_misses=0.2, ghosts=0.1)) for seed in range(3)]
    assert sum(result.switches for result in results) <= 3
    assert min(result.idf1 for result in results) > 0.85


def test_what_is_found_without_errors_is_followed_without_errors():
    result = followed(busy_street(noise=0, misses=0, part_misses=0, ghosts=0))
    assert (result.switches, result.ghosts, result.ids) == (0, 0, 9)
    assert result.missed <= 2 * result.ids  # the frames before each gets its id


def test_the_scene_of_the_broken_tracker():
    """One of three leaves and another comes: elsewhere this gave new ids to everybody in every frame from then on."""
    walkers = [Walker(200, 350, 20, 250), Walker(600, 350, 10, 250, last=20), Walker(1000, 350, -15, 250),
               Walker(400, 350, 10, 250, first=30)]  # fmt: skip
    tracker, seen = Tracker(), set()
    for at_s, _, poses in Scene(walkers, 60, misses=0, ghosts=0):
        seen |= set(tracker.update(poses, at_s, SIZE).track.tolist())
    assert seen == {-1, 1, 2, 3, 4}


def test_the_same_calls_give_the_same_ids():
    def run() -> list[list[int]]:
        tracker = Tracker()
        return [tracker.update(poses, at_s, SIZE).track.tolist() for at_s, _, poses in busy_street()]

    assert run() == run()


@given(st.permutations(range(4)))
@settings(max_examples=10)
def test_the_order_in_which_people_are_found_does_not_matter(order: list[int]):
    places = [(150.0, 300.0), (400.0, 300.0), (700.0, 300.0), (1000.0, 300.0)]
    first, second = ids(Tracker(AT_ONCE), [places, [places[i] for i in order]])
    assert [first[i] for i in order] == second


# --- birth, memory and death ---


def test_an_id_is_given_in_the_third_frame_and_counts_from_1():
    assert ids(Tracker(), [[(300, 300)]] * 4) == [[-1], [-1], [1], [1]]


def test_who_is_found_once_gets_no_id_and_uses_none_up():
    frames = [[(300, 300), (900, 300)], [(300, 300)], [(300, 300)], [(300, 300)], [(300, 300), (900, 300)]] + [
        [(300, 300), (900, 300)]
    ] * 2
    assert ids(Tracker(), frames)[-1] == [1, 2]
    assert ids(Tracker(), frames[:4])[-1] == [1]


def test_a_low_score_keeps_an_id_but_gets_none():
    tracker = Tracker(TrackConfig(birth_frames=1, birth_score=0.7))
    first, both = people_at((300, 300)), people_at((900, 300), (300, 300))  # scores 0.9 and 0.5
    assert tracker.update(first, 0.0, SIZE).track.tolist() == [1]
    assert tracker.update(both, 0.1, SIZE).track.tolist() == [2, 1]
    fresh = Tracker(TrackConfig(birth_frames=1, birth_score=0.7))
    assert fresh.update(both, 0.0, SIZE).track.tolist() == [1, -1]


@pytest.mark.parametrize(("hidden_s", "expected"), [(0.3, 1), (1.4, 1), (1.6, 2)])
def test_an_id_waits_for_memory_s(hidden_s: float, expected: int):
    tracker = Tracker(TrackConfig(birth_frames=1, memory_s=1.5))
    tracker.update(people_at((300, 300)), 10.0, SIZE)
    for moment in np.arange(0.1, hidden_s, 0.1):
        assert len(tracker.update(people_at(), 10.0 + moment, SIZE)) == 0  # nobody is made up
    assert tracker.update(people_at((300, 300)), 10.0 + hidden_s, SIZE).track.tolist() == [expected]


def test_who_leaves_the_frame_has_gone():
    """A newcomer at the same edge, soon after, is somebody else."""
    leaving = [[(120 - 20 * n, 300)] for n in range(6)]
    result = ids(Tracker(AT_ONCE), [*leaving, *[[]] * 6, [(20, 300)], [(30, 300)]])
    assert result[:6] == [[1]] * 6
    assert result[-2:] == [[2], [2]]


def test_who_walks_is_expected_farther_on():
    """Hidden for ten frames, walking: found where the way led, while somebody else stands where it began."""
    walk = [[(200 + 8 * n, 300)] for n in range(20)]
    behind = [[]] * 10
    after = [[(200 + 8 * 30, 300), (200 + 8 * 18, 300)]]
    assert ids(Tracker(AT_ONCE), [*walk, *behind, *after])[-1] == [1, 2]


def test_people_much_alike_are_one():
    result = Tracker(AT_ONCE).update(people_at((300, 300), (302, 300), (800, 300)), 0.0, SIZE)
    assert result.track.tolist() == [1, 2]
    assert result.person.tolist() == pytest.approx([0.9, 0.5])  # the better of the two stays


@pytest.mark.parametrize("change", ["time", "size"])
def test_another_picture_begins_anew(change: str):
    tracker = Tracker(AT_ONCE)
    tracker.update(people_at((300, 300)), 5.0, SIZE)
    at_s, size = (4.0, SIZE) if change == "time" else (5.1, (640, 480))
    assert tracker.update(people_at((300, 300)), at_s, size).track.tolist() == [2]


def test_the_same_moment_twice_is_no_harm():
    tracker = Tracker(AT_ONCE)
    for at_s in (1.0, 1.0, 1.1, 1.1):
        assert tracker.update(people_at((300, 300)), at_s, SIZE).track.tolist() == [1]
    assert np.isfinite(tracker.predicted_boxes(2.0).box).all()


# --- what comes out ---


def test_only_the_ids_are_new():
    poses = people_at((300, 300), (800, 300))
    result = Tracker(AT_ONCE).update(poses, 0.0, SIZE)
    for name in ("xy", "score", "person", "box"):
        assert np.array_equal(getattr(result, name), getattr(poses, name)), name
    assert result.track.dtype == np.int32
    assert poses.track.tolist() == [-1, -1]


def test_predicted_boxes_go_on_as_before():
    tracker = Tracker(AT_ONCE)
    for n in range(10):
        poses = people_at((200 + 10 * n, 300), (900, 300))
        tracker.update(poses, n / 30, SIZE)
    predicted = tracker.predicted_boxes(10 / 30)
    assert predicted.track.tolist() == [1, 2]
    assert predicted.box[0] == pytest.approx(poses.box[0] + [10, 0, 10, 0], abs=1)
    assert predicted.box[1] == pytest.approx(poses.box[1], abs=1e-3)
    tracker.update(people_at((900, 300)), 10 / 30, SIZE)
    assert tracker.predicted_boxes(10 / 30).unseen_s.tolist() == pytest.approx([1 / 30, 0])


def test_nobody_is_predicted_before_anybody_was_seen():
    assert len(Tracker().predicted_boxes(0.0)) == 0


@given(st.lists(st.tuples(any_poses(), st.floats(0, 3)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_people_at_any_times_can_be_followed(frames: list[tuple[Poses, float]]):
    tracker = Tracker(AT_ONCE)
    for poses, at_s in frames:
        track = tracker.update(poses, at_s, (320, 240)).track
        named = track[track >= 0].tolist()
        assert len(set(named)) == len(named) <= len(poses)
        assert np.isfinite(tracker.predicted_boxes(at_s + 1).box).all()


def test_a_keypoint_that_is_no_number_spoils_nothing():
    tracker = Tracker(AT_ONCE)
    for n, value in enumerate((0.0, np.nan, np.inf, 0.0)):
        poses = people_at((300, 300))
        xy = poses.xy.copy()
        xy[0, 3] += np.float32(value)
        poses = Poses.trusted(xy, poses.score, poses.person, poses.box, poses.track, COCO17)
        assert tracker.update(poses, n / 30, SIZE).track.tolist() == [1]
    assert np.isfinite(tracker.predicted_boxes(1.0).box).all()


# --- real videos ---


@pytest.mark.shared
@pytest.mark.parametrize(
    ("model", "input_size"), [("openpose-lightweight", "224"), ("rtmdet-nano-person+tinypose-256x192", None)]
)
def test_two_people_keep_their_two_ids(shared: Path, model: str, input_size: str | None):
    from trt_pose_app.estimators import load
    from trt_pose_app.models.store import default_search
    from trt_pose_app.sources import open_source

    search = default_search({"TRT_POSE_MODELS": str(shared / "weights")})
    tracker, count, places = Tracker(), 0, {}
    with (
        load(config=ModelConfig(name=model, input_size=input_size, threads=2), search=search) as estimator,
        open_source(str(shared / "videos/two-people-1080p.mp4")) as source,
    ):
        for frame in source:
            poses = tracker.update(estimator(frame), frame.pts_s or 0.0, (frame.width, frame.height))
            count += 1
            for track, box in zip(poses.track.tolist(), poses.box):
                places.setdefault(track, []).append(float(box[0]))
    assert count == 72
    assert {track for track in places if track > 0} == {1, 2}
    assert len(places[1]) == len(places[2]) == 70
    # One stands to the left of the other throughout.
    left, right = sorted((places[1], places[2]), key=lambda place: place[0])
    assert all(a < b for a, b in zip(left, right))
