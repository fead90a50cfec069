"""Target maps: against the definition written out cell by cell, and the cells that must not count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.people import crowd
from trt_pose_app.errors import DependencyError
from trt_pose_app.skeleton import COCO18, Skeleton
from trt_pose_app.training import targets as module
from trt_pose_app.training.targets import People, draw_native, draw_targets

SIZE, STRIDE = 128, 8
CELLS = SIZE // STRIDE
STICK = Skeleton("stick", ("a", "b"), ((0, 1),), (0, 1))
NATIVE = pytest.param(True, marks=pytest.mark.skipif(draw_native is None, reason="the extension is not built"))


@pytest.fixture(params=[NATIVE, False], ids=["native", "numpy"], autouse=True)
def native(request, monkeypatch) -> bool:
    """Every test here looks at both implementations."""
    if not request.param:
        monkeypatch.setattr(module, "draw_native", None)
    return request.param


def by_definition(people: People, skeleton: Skeleton, sigma: float, *, window: int | None, mean: bool):
    """The maps of ``draw_targets`` from its docstring, one cell at a time and without any cut but trt_pose's."""
    cmap = np.zeros((len(skeleton), CELLS, CELLS))
    paf, strength = np.zeros((len(skeleton.limbs), 2, CELLS, CELLS)), np.zeros((len(skeleton.limbs), CELLS, CELLS))
    for person in people.xy.astype(float):
        centres = (person - (STRIDE - 1) / 2) / STRIDE
        for row in range(CELLS):
            for column in range(CELLS):
                here = np.array([column, row])
                for part, centre in enumerate(centres):
                    if window is not None and (np.abs(here - np.floor(centre + 0.5)) > window).any():
                        continue
                    value = np.exp(-((here - centre) ** 2).sum() / (2 * sigma**2))
                    cmap[part, row, column] = max(cmap[part, row, column], value)
                for limb, (a, b) in enumerate(skeleton.limbs):
                    along = centres[b] - centres[a]
                    unit = along / np.linalg.norm(along)
                    nearest = centres[a] + unit * np.clip((here - centres[a]) @ unit, 0, np.linalg.norm(along))
                    value = np.exp(-((here - nearest) ** 2).sum() / (2 * sigma**2))
                    strength[limb, row, column] += value
                    paf[limb, :, row, column] += value * unit[::-1]
    if mean:
        paf /= np.maximum(strength, 1)[:, None]
    return cmap, paf.reshape(-1, CELLS, CELLS)


@pytest.mark.parametrize(
    ("style", "window", "tolerance"),
    [
        ("mean", None, 0.02),  # nearly all that is cut is 0.004 of a limb
        ("trt_pose", 3, 4e-4),
    ],
)
def test_the_maps_are_what_the_definition_says(style, window, tolerance):
    sigma = 1.4 / np.sqrt(2)  # trt_pose's 0.025 of 56 cells
    people = crowd(3, COCO18, SIZE)
    targets = draw_targets(people, COCO18, (SIZE, SIZE), STRIDE, cmap_sigma=sigma, paf_sigma=sigma, style=style)
    cmap, paf = by_definition(people, COCO18, sigma, window=window, mean=style == "mean")
    np.testing.assert_allclose(targets.cmap, cmap, atol=0.005 if window is None else 1e-5)
    np.testing.assert_allclose(targets.paf, paf, atol=tolerance)
    assert (targets.cmap_weight == 1).all()
    assert (targets.paf_weight == 1).all()


def disordered(seed: int, n_people: int, n_ignored: int) -> People:
    """People of all visibilities, partly and wholly outside the picture and their windows."""
    rng = np.random.default_rng(seed)
    people = crowd(n_people, COCO18, SIZE, seed)
    corner = rng.uniform(-20, SIZE, (n_people + n_ignored, 2))
    boxes = np.concatenate((corner, corner + rng.uniform(0, SIZE, corner.shape)), axis=1).astype(np.float32)
    return People(
        (people.xy * rng.choice([1, 1, 1, 40])).astype(np.float32),
        rng.integers(0, 3, people.visible.shape).astype(np.uint8),
        people.box,
        boxes[:n_people],
        boxes[n_people:],
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    n_people=st.integers(0, 6),
    n_ignored=st.integers(0, 2),
    stride=st.sampled_from([1, 4, 8]),
    sigmas=st.tuples(st.floats(0.3, 4), st.floats(0.3, 4)),
    style=st.sampled_from(["mean", "trt_pose"]),
    mask=st.sampled_from(["unknown", "unlabelled", "none"]),
    uncertain_weight=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_implementations_draw_the_same(
    native, seed, n_people, n_ignored, stride, sigmas, style, mask, uncertain_weight
):
    if not native:
        return
    people = disordered(seed, n_people, n_ignored)
    compiled, numpy = (
        draw_targets(
            people, COCO18, (SIZE // 2, SIZE), stride, cmap_sigma=sigmas[0], paf_sigma=sigmas[1],
            style=style, mask=mask, uncertain_weight=uncertain_weight, native=choice,
        )
        for choice in (True, False)
    )  # fmt: skip
    for name in ("cmap", "paf"):
        np.testing.assert_allclose(getattr(compiled, name), getattr(numpy, name), atol=2e-6)
    for name in ("cmap_weight", "paf_weight"):
        # A value at a threshold may fall on either side of it.
        assert (getattr(compiled, name) != getattr(numpy, name)).mean() < 1e-4


@pytest.mark.parametrize(
    "change",
    [{"visible": np.zeros((1, 3), np.uint8)}, {"box": np.zeros((2, 4), np.float32)}, {"ignore": np.zeros(4)}],
    ids=lambda change: next(iter(change)),
)
def test_the_compiled_one_refuses_arrays_that_do_not_fit(native, change):
    if native:
        with pytest.raises(ValueError, match="do not fit"):
            draw(replace(stick(), **change))


def test_without_the_extension_the_compiled_one_cannot_be_asked_for(native):
    if not native:
        with pytest.raises(DependencyError, match="_paf"):
            draw(stick(), native=True)


def stick(visible=(2, 2), *, window=(0, 0, SIZE, SIZE), ignore=()) -> People:
    """One person: a at pixel (20, 60), b at (100, 60), 80 px to the right."""
    xy = np.array([[[20, 60], [100, 60]]], np.float32)
    return People(
        xy,
        np.array([visible], np.uint8),
        np.array([[20, 50, 100, 70]], np.float32),
        np.array([window], np.float32),
        np.array(ignore, np.float32).reshape(-1, 4),
    )


def draw(people: People, **options):
    return draw_targets(people, STICK, (SIZE, SIZE), STRIDE, cmap_sigma=0.9, paf_sigma=0.8, **options)


def test_a_field_points_from_the_first_part_to_the_second_with_y_before_x():
    targets = draw(stick())
    on_the_limb = (60 // STRIDE, 60 // STRIDE)
    assert targets.paf[0][on_the_limb] == 0
    assert targets.paf[1][on_the_limb] > 0.9


def test_an_unknown_keypoint_hides_its_channel_and_its_limbs_in_the_persons_box_only():
    targets = draw(stick((2, 0)))
    assert (targets.cmap_weight[0] == 1).all()
    assert targets.cmap_weight[1, 7, 7] == 0
    assert targets.cmap_weight[1, 0, 0] == 1
    assert (targets.paf_weight[:, 7, 7] == 0).all()
    assert not targets.cmap[1].any()
    assert not targets.paf.any()


def test_another_persons_known_keypoint_still_counts_there():
    one, other = stick((2, 0)), stick((2, 2))
    both = People(
        *(
            np.concatenate([getattr(one, name), getattr(other, name) + (0 if name in ("visible", "window") else 4)])
            for name in ("xy", "visible", "box", "window")
        ),
        one.ignore,
    )
    weight = draw(both).cmap_weight[1]
    assert weight[64 // STRIDE, 104 // STRIDE] == 1
    assert weight[64 // STRIDE, 50 // STRIDE] == 0


def test_ignored_boxes_count_for_nothing():
    targets = draw(stick(ignore=[[96, 0, 128, 128]]))
    for weight in (targets.cmap_weight, targets.paf_weight):
        assert not weight[:, :, 12:].any()
        assert weight[:, :, :12].all()


def test_uncertain_keypoints_count_less():
    targets = draw(stick((2, 1)), uncertain_weight=0.5)
    assert targets.cmap_weight[0, 7, 2] == 1
    assert targets.cmap_weight[1, 7, 12] == 0.5
    assert targets.paf_weight[0, 7, 7] == 0.5


def test_a_person_is_drawn_in_the_window_of_its_own_photo_only():
    targets = draw(stick(window=(0, 0, 64, SIZE)))
    assert targets.paf[1, 7, :8].any()
    assert not targets.paf[:, :, 8:].any()
    assert not targets.cmap[1].any()


def test_nobody_is_an_empty_map_that_counts():
    nobody = crowd(0, COCO18, SIZE)
    targets = draw_targets(nobody, COCO18, (SIZE, SIZE), STRIDE, cmap_sigma=1, paf_sigma=1)
    assert targets.cmap.shape == (18, CELLS, CELLS)
    assert targets.paf.shape == (42, CELLS, CELLS)
    assert not targets.cmap.any()
    assert targets.paf_weight.all()
