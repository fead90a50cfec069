"""Poses to Gaussian maps and back: equal to the formulas that PoseFix is written down in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from trt_pose_app.decode.pose_maps import PoseMaps
from trt_pose_app.decode.soft_argmax import SoftArgmax
from trt_pose_app.errors import DecodeError

WIDTH, HEIGHT, SIGMA = 36, 48, 2.25
places = st.floats(-30, 70, width=32)
poses = arrays(np.float32, (2, 3, 2), elements=places)


def naive_maps(xy: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """255 exp(-d^2 / 2 sigma^2) of every cell, in float64."""
    x, y = np.arange(WIDTH), np.arange(HEIGHT)[:, None]
    maps = np.zeros((*valid.shape, HEIGHT, WIDTH))
    for person, part in np.argwhere(valid):
        px, py = xy[person, part].astype(np.float64)
        maps[person, part] = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * SIGMA**2))
    return maps


def naive_soft_argmax(heatmaps: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = heatmaps.astype(np.float64)
    share = np.exp(exact - exact.max(axis=(2, 3), keepdims=True))
    share /= share.sum(axis=(2, 3), keepdims=True)
    x, y = np.arange(heatmaps.shape[3]), np.arange(heatmaps.shape[2])[:, None]
    return np.stack(((share * x).sum(axis=(2, 3)), (share * y).sum(axis=(2, 3))), axis=2)


@settings(deadline=None)
@given(xy=poses, valid=arrays(np.bool_, (2, 3)), reach=st.sampled_from([3.0, 4.0]))
def test_maps_are_the_formula_s_within_the_window_s_cut(
    xy: NDArray[np.float32], valid: NDArray[np.bool_], reach: float
) -> None:
    maps = PoseMaps((WIDTH, HEIGHT), SIGMA, reach=reach)(xy, valid)
    cut = 255 * np.exp(-(reach**2) / 2)
    np.testing.assert_allclose(maps, naive_maps(xy, valid), rtol=0, atol=1.01 * cut + 1e-3)


@settings(deadline=None)
@given(xy=poses)
def test_inside_the_window_maps_are_the_formula_s_within_float32(xy: NDArray[np.float32]) -> None:
    maps = PoseMaps((WIDTH, HEIGHT), SIGMA)(xy, np.ones((2, 3), np.bool_))
    exact = naive_maps(xy, np.ones((2, 3), np.bool_))
    np.testing.assert_allclose(maps[maps > 0], exact[maps > 0], rtol=0, atol=1e-3)


@settings(deadline=None)
@given(calls=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**31)), min_size=1, max_size=5))
def test_a_call_leaves_nothing_of_the_last_one(calls: list[tuple[int, int]]) -> None:
    kept = PoseMaps((WIDTH, HEIGHT), SIGMA)
    for n_people, seed in calls:
        xy = np.random.default_rng(seed).uniform(-20, 60, (n_people, 3, 2))
        valid = xy[..., 0] > 0
        np.testing.assert_array_equal(kept(xy, valid), PoseMaps((WIDTH, HEIGHT), SIGMA)(xy, valid))


@pytest.mark.parametrize("place", [(np.nan, 3), (3, np.inf), (-np.inf, 3), (1e30, 1e30), (-1e30, 0)])
def test_a_keypoint_nowhere_draws_nothing(place: tuple[float, float]) -> None:
    maps = PoseMaps((WIDTH, HEIGHT), SIGMA)(np.array([[place]], np.float32), np.ones((1, 1), np.bool_))
    assert not maps.any()


def test_a_keypoint_that_is_not_valid_is_not_drawn_at_the_origin() -> None:
    maps = PoseMaps((WIDTH, HEIGHT), SIGMA)(np.zeros((1, 2, 2), np.float32), np.array([[True, False]]))
    assert maps[0, 0, 0, 0] == 255
    assert not maps[0, 1].any()


def test_poses_of_another_shape_are_refused() -> None:
    with pytest.raises(DecodeError, match="valid is"):
        PoseMaps((WIDTH, HEIGHT), SIGMA)(np.zeros((1, 2, 2)), np.ones((2, 2), np.bool_))


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 30))
def test_soft_argmax_is_the_formula_within_a_thousandth_of_a_cell(seed: int, spread: float) -> None:
    heatmaps = np.random.default_rng(seed).normal(0, spread, (2, 3, HEIGHT, WIDTH)).astype(np.float32)
    np.testing.assert_allclose(SoftArgmax((WIDTH, HEIGHT))(heatmaps), naive_soft_argmax(heatmaps), rtol=0, atol=1e-3)


def test_a_gaussian_read_back_is_the_place_it_was_drawn_at() -> None:
    xy = np.random.default_rng(0).uniform((10, 10), (25, 35), (4, 3, 2)).astype(np.float32)
    maps = PoseMaps((WIDTH, HEIGHT), 1.5, reach=6)(xy, np.ones((4, 3), np.bool_))
    with np.errstate(divide="ignore"):
        logits = np.log(maps)
    np.testing.assert_allclose(SoftArgmax((WIDTH, HEIGHT))(logits), xy, rtol=0, atol=1e-3)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_map_without_a_place_is_nan_and_spoils_no_other(odd: float) -> None:
    heatmaps = np.zeros((1, 2, HEIGHT, WIDTH), np.float32)
    heatmaps[0, 0, 3, 3] = odd
    place = SoftArgmax((WIDTH, HEIGHT))(heatmaps)
    assert np.isnan(place[0, 0]).all()
    np.testing.assert_allclose(place[0, 1], [(WIDTH - 1) / 2, (HEIGHT - 1) / 2], atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 2, WIDTH, HEIGHT), (2, HEIGHT, WIDTH)])
def test_heatmaps_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DecodeError, match="heatmaps are"):
        SoftArgmax((WIDTH, HEIGHT))(np.zeros(shape, np.float32))
