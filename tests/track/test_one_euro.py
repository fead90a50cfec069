"""Smoothing: at rest keypoints stop trembling, in motion they are not held up, and nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.people import any_poses
from tests.track.scene import Walker
from trt_pose_app.config.schema import SmoothConfig
from trt_pose_app.skeleton import COCO17
from trt_pose_app.track import PoseSmoother
from trt_pose_app.types import Poses, boxes_around

Track = NDArray[np.floating]  # (frames, 17, 2)
HEIGHT_PX = 330
# Half of COCO's constants: about what a good network leaves.
NOISE_PX = 0.5 * np.array(COCO17.sigmas)[:, None] * 0.6 * HEIGHT_PX


def person(xy: Track, track: int = 1) -> Poses:
    """One person or several with keypoints (17, 2) or (N, 17, 2), NaN where missing, and ids from ``track`` up."""
    xy = np.asarray(xy, np.float32).reshape(-1, 17, 2)
    n_people = len(xy)
    score = np.where(np.isnan(xy).any(axis=2), 0, 0.8).astype(np.float32)
    ids = np.arange(track, track + n_people, dtype=np.int32)
    return Poses(xy, score, np.full(n_people, 0.9, np.float32), boxes_around(xy), ids, COCO17)


def smoothed(frames: Track, fps: float = 30, params: SmoothConfig | None = None) -> Track:
    smoother = PoseSmoother(params or SmoothConfig())
    return np.array([smoother.update(person(xy), index / fps).xy[0] for index, xy in enumerate(frames)])


def still(frames: int = 150, scale: float = 1) -> Track:
    """A person who stands, with the noise of a network."""
    pose = Walker(300, 300, 0, HEIGHT_PX).xy(0, 30)
    noise = np.random.default_rng(0).normal(size=(frames, 17, 2)) * NOISE_PX
    return scale * (pose + noise)


def walking(frames: int = 150, fps: float = 30) -> Track:
    return np.array([Walker(100, 300, 200, HEIGHT_PX).xy(index, fps) for index in range(frames)])


def jitter(frames: Track) -> float:
    """Return the mean absolute second difference, px."""
    return float(np.abs(np.diff(frames, 2, axis=0)).mean())


def lag(frames: Track, late: Track) -> float:
    """Return by how many frames ``late`` follows ``frames``: where the correlation of their speeds is largest."""
    n = len(frames) - 1
    speed, late_speed = np.diff(frames, axis=0)[..., 0], np.diff(late, axis=0)[..., 0]
    shifts, inner = np.arange(0, 5, 0.1), np.arange(30, n - 10)
    lags = []
    for k in range(17):
        correlations = [
            np.corrcoef(np.interp(inner - shift, np.arange(n), speed[:, k]), late_speed[inner, k])[0, 1]
            for shift in shifts
        ]
        if speed[:, k].std() > 0.5:  # arms and legs: the rest glides along, and looks the same at any shift
            lags.append(shifts[int(np.argmax(correlations))])
    assert len(lags) == 8
    return float(np.max(lags))


@pytest.mark.parametrize("fps", [30, 10])
def test_jitter_of_a_person_at_rest_falls_by_60_percent(fps: float):
    found = still()
    assert jitter(smoothed(found, fps)[30:]) < 0.4 * jitter(found[30:])


def test_a_walker_lags_by_one_frame_at_most():
    found = walking()
    late = smoothed(found)
    assert lag(found, late) <= 1
    # The body as a whole glides: there the lag is a distance.
    behind_px = (found - late)[30:, [0, 5, 6, 11, 12], 0].mean()
    assert behind_px < 200 / 30


def test_smoothing_comes_closer_to_the_truth():
    truth = walking()
    found = truth + np.random.default_rng(1).normal(size=truth.shape) * NOISE_PX
    assert np.abs(smoothed(found) - truth)[30:].mean() < 0.85 * np.abs(found - truth)[30:].mean()


def test_near_and_far_people_are_smoothed_alike():
    near, far = smoothed(still(scale=4)), smoothed(still())
    assert near / 4 == pytest.approx(far, abs=0.01)


def test_uneven_frame_times_are_taken_as_they_are():
    """Half of the frames dropped: the rest goes the same ways in the same time."""
    frames = walking(300, fps=60)
    times = np.arange(300) / 60
    kept = np.random.default_rng(0).uniform(size=300) < 0.5
    every, some = PoseSmoother(), PoseSmoother()
    whole = np.array([every.update(person(xy), t).xy[0] for xy, t in zip(frames, times)])[kept]
    part = np.array([some.update(person(xy), t).xy[0] for xy, t in zip(frames[kept], times[kept])])
    assert np.abs(whole - part)[30:].max() < 0.03 * HEIGHT_PX


def test_a_new_id_begins_where_it_is_found():
    smoother = PoseSmoother()
    here, there = still(1)[0], still(1)[0] + 300
    for index in range(10):
        smoother.update(person(here, track=1), index / 30)
    assert smoother.update(person(there, track=2), 10 / 30).xy[0] == pytest.approx(there, abs=1e-3)


def test_each_id_has_its_own_memory_in_any_order():
    smoother = PoseSmoother()
    a, b = still(40), still(40) + 300
    alone = smoothed(a)
    for index in range(40):
        both = person(np.stack([a[index], b[index]]))
        order = [0, 1] if index % 2 else [1, 0]
        mixed = Poses(both.xy[order], both.score, both.person, both.box[order], both.track[order], COCO17)
        result = smoother.update(mixed, index / 30)
    assert result.xy[order.index(0)] == pytest.approx(alone[-1], abs=1e-3)


@pytest.mark.parametrize(("gap_s", "joined"), [(0.2, True), (0.8, False)])
def test_a_long_gap_is_not_smoothed_across(gap_s: float, joined: bool):
    smoother = PoseSmoother(SmoothConfig(max_gap_s=0.5, beta=0))
    here = still(1)[0]
    for index in range(10):
        smoother.update(person(here), index / 30)
    moved = smoother.update(person(here + 50), 9 / 30 + gap_s).xy[0]
    assert (np.abs(moved - here - 50) > 1).all() == joined


@pytest.mark.parametrize(("missing", "joined"), [(5, True), (30, False)])
def test_a_keypoint_that_was_missing_for_long_begins_anew(missing: int, joined: bool):
    smoother = PoseSmoother(SmoothConfig(max_gap_s=0.5, beta=0))
    pose = still(1)[0]
    for index in range(10 + missing):
        xy = pose.copy()
        if index >= 10:
            xy[9] = np.nan
        result = smoother.update(person(xy), index / 30)
        assert np.isnan(result.xy[0, 9]).all() == (index >= 10)
        assert np.isfinite(np.delete(result.xy[0], 9, axis=0)).all()
    pose[9] += 50
    back = smoother.update(person(pose), (10 + missing) / 30).xy[0, 9]
    assert (np.abs(back - pose[9]) > 1).all() == joined


def test_people_without_an_id_pass_as_they_are():
    smoother = PoseSmoother()
    for index, xy in enumerate(still(5)):
        result = smoother.update(person(xy, track=-1), index / 30)
        assert np.array_equal(result.xy[0], xy.astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("axes", [0, 1, slice(None)])
def test_what_is_no_number_passes_and_leaves_nothing_behind(value: float, axes: int | slice):
    smoother = PoseSmoother()
    for index, xy in enumerate(still(20)):
        poses = person(xy)
        if index == 10:
            broken = poses.xy.copy()
            broken[0, 4, axes] = value
            poses = Poses.trusted(broken, poses.score, poses.person, poses.box, poses.track, COCO17)
        result = smoother.update(poses, index / 30)
        assert np.isfinite(result.xy[0]).all() == (index != 10)


def test_the_same_moment_twice_changes_nothing():
    smoother = PoseSmoother()
    frames = still(20)
    for index, xy in enumerate(frames[:-1]):
        result = smoother.update(person(xy), index / 30)
    again = smoother.update(person(frames[-1]), 18 / 30)
    assert again.xy == pytest.approx(result.xy, abs=1e-4)


def test_a_clock_that_runs_backwards_begins_anew():
    smoother = PoseSmoother()
    for index, xy in enumerate(still(10)):
        smoother.update(person(xy), 100 + index / 30)
    xy = still(1)[0] + 40
    assert smoother.update(person(xy), 0.0).xy[0] == pytest.approx(xy, abs=1e-3)


@given(st.lists(st.tuples(any_poses(), st.floats(0, 3)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_people_at_any_times_stay_valid(frames: list[tuple[Poses, float]]):
    smoother = PoseSmoother()
    for poses, at_s in frames:
        _, first = np.unique(poses.track, return_index=True)
        first = np.sort(first)  # an id is one person's
        poses = Poses(
            poses.xy[first], poses.score[first], poses.person[first], poses.box[first], poses.track[first],
            poses.skeleton,
        )  # fmt: skip
        result = smoother.update(poses, at_s)
        Poses(result.xy, result.score, result.person, result.box, result.track, result.skeleton)  # validates
