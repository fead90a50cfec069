"""SimCC and heatmap decoders: mmpose's results on the stored golden, conventions, odd values, refused input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from trt_pose_app.decode.heatmap import HeatmapDecoder, Refine
from trt_pose_app.decode.keypoints import KeypointDecoder, Keypoints
from trt_pose_app.decode.simcc import SimccDecoder, SimccScore
from trt_pose_app.errors import DecodeError

ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e38, -1e38, 1e-40, 0.5, 1.0, 3.0])


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, NDArray[Any]]:
    with np.load(shared / "golden/rtmpose/golden_codec.npz") as arrays_:
        return dict(arrays_)


def assert_equal(found: Keypoints, xy: NDArray[Any], score: NDArray[Any], atol_px: float = 0.0) -> None:
    """What mmpose marks with a score that is not above 0 is missing here; scores above 1 are 1."""
    seen = score > 0
    assert seen.any()
    np.testing.assert_array_equal(found.score, np.where(seen, np.minimum(score, 1), 0))
    np.testing.assert_array_equal(np.isnan(found.xy).all(axis=2), ~seen)
    np.testing.assert_allclose(found.xy[seen], xy[seen], rtol=0, atol=atol_px)


@pytest.mark.shared
@pytest.mark.parametrize(("convention", "owner"), [("min", "simcc"), ("mean", "rtmlib")])
def test_simcc_is_mmpose_s_and_rtmlib_s(golden: dict[str, Any], convention: SimccScore, owner: str) -> None:
    found = SimccDecoder(score=convention).decode({"x": golden["simcc_x"], "y": golden["simcc_y"]})
    assert_equal(found, golden[f"{owner}_kpts"], golden[f"{owner}_scores"])


@pytest.mark.shared
@pytest.mark.parametrize(("refine", "name", "atol_px"), [("quarter", "hm_kpts", 0.0), ("dark", "hm_kpts_dark", 2e-3)])
def test_heatmaps_are_mmpose_s(golden: dict[str, Any], refine: Refine, name: str, atol_px: float) -> None:
    found = HeatmapDecoder(refine=refine).decode({"heatmap": golden["heatmaps"]})
    assert_equal(found, golden[name], golden["hm_scores"], atol_px)


@pytest.mark.shared
@pytest.mark.parametrize("model", ["rtmpose-t", "rtmpose-m", "mobilenetv2"])
def test_networks_outputs_give_the_stored_keypoints(shared: Path, model: str) -> None:
    with np.load(shared / f"golden/rtmpose/golden_{model}.npz") as stored:
        decoder: KeypointDecoder
        if model == "mobilenetv2":
            decoder, outputs = HeatmapDecoder(), {"heatmap": stored["heatmaps"]}
        else:
            decoder, outputs = SimccDecoder(), {"x": stored["simcc_x"], "y": stored["simcc_y"]}
        assert_equal(decoder.decode(outputs), stored["keypoints_input"], stored["scores"])


@pytest.mark.parametrize(("convention", "score"), [("min", 0.25), ("mean", 0.5), ("max", 0.75)])
def test_a_score_of_two_peaks(convention: SimccScore, score: float) -> None:
    x, y = np.zeros((1, 1, 8), np.float32), np.zeros((1, 1, 16), np.float32)
    x[0, 0, 3], y[0, 0, 5] = 0.25, 0.75
    found = SimccDecoder(score=convention).decode({"x": x, "y": y})
    assert found.xy.tolist() == [[[1.5, 2.5]]]
    assert found.score.tolist() == [[score]]


@pytest.mark.parametrize(("map_offset", "x"), [(0.0, 8.0), (0.5, 9.5)])
def test_where_in_its_cell_a_peak_lies_is_the_spec_s(map_offset: float, x: float) -> None:
    maps = np.zeros((1, 1, 6, 6), np.float32)
    maps[0, 0, 2, 2] = 1
    found = HeatmapDecoder(stride=4, map_offset=map_offset, refine="none").decode({"heatmap": maps})
    assert found.xy.tolist() == [[[x, x]]]


@pytest.mark.parametrize(("refine", "near"), [("none", 0.51), ("quarter", 0.26), ("dark", 0.01)])
@given(x=st.floats(8, 20), y=st.floats(8, 20))
@settings(max_examples=40, deadline=None)
def test_a_drawn_peak_is_found_within_the_method_s_reach(refine: Refine, near: float, x: float, y: float) -> None:
    rows, columns = np.mgrid[:30, :30]
    maps = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.0**2)).astype(np.float32)[None, None]
    found = HeatmapDecoder(stride=1, refine=refine).decode({"heatmap": maps})
    assert np.abs(found.xy[0, 0] - (x, y)).max() <= near


@pytest.mark.parametrize("refine", ["none", "quarter", "dark"])
@given(maps=arrays(np.float32, (2, 3, 7, 6), elements=ODD.map(np.float32)))
@settings(max_examples=60, deadline=None)
def test_any_floats_give_keypoints_or_none(refine: Refine, maps: NDArray[np.float32]) -> None:
    check(HeatmapDecoder(refine=refine).decode({"heatmap": maps}))
    check(SimccDecoder().decode({"x": maps[:, :, 0], "y": maps[:, :, 1]}))


def check(found: Keypoints) -> None:
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert np.array_equal(np.isnan(found.xy).any(axis=2), found.score == 0)
    assert not np.isinf(found.xy).any()


@pytest.mark.parametrize("people", [0, 1, 5])
def test_half_floats_and_no_people_at_all(people: int) -> None:
    found = SimccDecoder().decode({r: np.ones((people, 17, 8), np.float16) for r in "xy"})
    assert found.xy.shape == (people, 17, 2)
    assert found.xy.dtype == found.score.dtype == np.float32
    assert (
        HeatmapDecoder(refine="dark").decode({"heatmap": np.ones((people, 17, 8, 8), np.float16)}).xy.shape[0] == people
    )


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({}, "no output 'x'"),
        ({"x": (1, 17, 8)}, "no output 'y'"),
        ({"x": (1, 17), "y": (1, 17, 8)}, "x is"),
        ({"x": (1, 17, 0), "y": (1, 17, 8)}, "x is"),
        ({"x": (1, 17, 8), "y": (1, 16, 8)}, "y is"),
    ],
)
def test_other_shapes_are_refused(outputs: dict[str, tuple[int, ...]], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        SimccDecoder().decode({role: np.zeros(shape, np.float32) for role, shape in outputs.items()})


@pytest.mark.parametrize("maps", [np.zeros((1, 17, 8), np.float32), np.zeros((1, 17, 8, 8), np.int32)])
def test_a_heatmap_has_four_axes_of_floats(maps: NDArray[Any]) -> None:
    with pytest.raises(DecodeError, match="heatmap is"):
        HeatmapDecoder().decode({"heatmap": maps})
