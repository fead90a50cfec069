"""Synthetic errors: each is what its kind says, and they are as frequent as in the published code."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trt_pose_app.skeleton import COCO17, COCO18, HAND21, Skeleton
from trt_pose_app.training.error_rates import ErrorRates
from trt_pose_app.training.pose_errors import (
    DROPPED,
    GOOD,
    INVERSION,
    JITTER,
    KINDS,
    MISS,
    SWAP,
    PoseErrors,
)

Array = NDArray[Any]
FLIP = np.array(COCO17.flip)
PAIRED = np.arange(17) != FLIP
NOSE, EYE, WRIST, HIP, KNEE, ANKLE = 0, 1, 9, 11, 13, 15


def similarity(found: Array, place: Array, area: float) -> Array:
    assert COCO17.sigmas is not None
    variance = (2 * np.array(COCO17.sigmas)) ** 2
    return np.exp(-((found - place) ** 2).sum(axis=-1) / (2 * area * variance))


@pytest.fixture(scope="module")
def golden(shared: Any) -> dict[str, Any]:
    return json.loads((shared / "golden/training/posefix_synth_golden.json").read_text())  # type: ignore[no-any-return]


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    n_near=st.integers(0, 3),
    labelled_share=st.sampled_from([0.2, 0.6, 1.0]),
    size=st.sampled_from([8.0, 40.0, 100.0]),
)
def test_every_point_is_what_its_kind_says(seed: int, n_near: int, labelled_share: float, size: float) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.normal(100, size, (17, 2))
    near = rng.normal(100, size, (n_near, 17, 2))
    labelled, near_labelled = rng.random(17) < labelled_share, rng.random((n_near, 17)) < labelled_share
    recorded = np.where(rng.random((17, 1)) < 0.5, xy + rng.normal(0, 3, (17, 2)), np.nan)
    area = 4 * size**2
    wrong = PoseErrors(COCO17)(xy, labelled, area, rng, near=near, near_labelled=near_labelled, recorded=recorded)
    base = np.where(labelled[:, None], xy, recorded)
    assert not wrong.valid[np.isnan(base).any(axis=1)].any()
    for part in np.flatnonzero(wrong.valid):
        mirror = FLIP[part]
        point = wrong.xy[part].astype(np.float64)
        pair = [base[mirror]] if labelled[mirror] and mirror != part else []
        others = [*near[near_labelled[:, part], part]]
        if mirror != part:
            others += [*near[near_labelled[:, mirror], mirror]]

        def ks(place: Array, part: int = part, point: Array = point) -> float:
            return float(similarity(np.tile(point, (17, 1)), np.tile(place, (17, 1)), area)[part])

        own, inverted, swapped = ks(base[part]), [ks(p) for p in pair], [ks(p) for p in others]
        slack = 1e-3  # float32
        kind = wrong.kind[part]
        if kind in (GOOD, JITTER):
            low, high = (0.85, 1.0) if kind == GOOD else (0.5, 0.85)
            assert low - slack <= own <= high + slack
            assert own >= max([*inverted, *swapped], default=0) - slack
        elif kind == INVERSION:
            assert inverted[0] >= 0.5 - slack
            assert inverted[0] >= max([own, *swapped]) - slack
        elif kind == SWAP:
            assert max(swapped) >= 0.5 - slack
            assert max(swapped) >= max([own, *inverted]) - slack
        else:
            assert kind == MISS
            assert 0.1 - slack <= max([own, *inverted, *swapped]) <= 0.5 + slack


@pytest.mark.shared
@pytest.mark.parametrize("case", ["17valid_alone", "17valid_1near", "10valid_1near", "5valid_alone"])
def test_errors_are_as_frequent_as_in_the_published_code(golden: dict[str, Any], case: str) -> None:
    """Kinds are told from places alone, as in the golden, whose 3000 draws and ours leave 4 standard deviations.

    Left out is what the published code does by mistake: inversions of right parts, drawn around left ones that are
    displaced already, and in a crowd everything about parts whose mirrored one is unlabelled.
    """
    n_draws = 4000
    xy, area = np.array(golden["pose"]), golden["area"]
    n_near = int(case.endswith("1near"))
    labelled = np.arange(17) < int(case.split("valid")[0])
    near = (xy + np.array([golden["near_shift_x"], 0]))[None][:n_near]
    errors, rng = PoseErrors(COCO17), np.random.default_rng(3)
    counts = np.zeros((17, len(KINDS)))
    for _ in range(n_draws):
        found = errors(
            xy, labelled, area, rng, near=near, near_labelled=np.ones((n_near, 17), np.bool_), recorded=xy
        ).xy
        own = similarity(found, xy, area)
        mirrored = similarity(found, xy[FLIP], area) * PAIRED
        other = np.zeros(17)
        for person in near:
            other = np.maximum(similarity(found, person, area), similarity(found, person[FLIP], area) * PAIRED)
        kind = np.select(
            [own >= 0.85, own >= 0.5, mirrored >= 0.5, other >= 0.5], [GOOD, JITTER, INVERSION, SWAP], MISS
        )
        counts[np.arange(17), kind] += 1
    ours, published = counts / n_draws, np.array(list(golden["cases"][case]["freq"].values()))
    share = np.maximum((ours + published) / 2, 1e-3)
    deviation = np.abs(ours - published) / np.sqrt(share * (1 - share) * (1 / n_draws + 1 / 3000))
    right = np.array([part.startswith("right") for part in COCO17.parts])
    deviation[right, INVERSION:] = 0
    deviation[PAIRED & ~labelled[FLIP] & (n_near > 0)] = 0
    assert deviation.max() < 4


@pytest.mark.parametrize(
    ("part", "n_labelled", "n_near", "rates"),
    [  # jitter, inversion, swap, miss
        (NOSE, 17, 0, (0.10, 0.01, 0.01, 0.02)),
        (EYE, 17, 0, (0.15, 0.01, 0.01, 0.02)),
        (WRIST, 11, 0, (0.15, 0.03, 0.06, 0.10)),
        (WRIST, 10, 1, (0.20, 0.03, 0.15, 0.15)),
        (WRIST, 15, 3, (0.15, 0.03, 0.15, 0.10)),
        (HIP, 5, 0, (0.25, 0.06, 0.03, 0.25)),
        (KNEE, 10, 0, (0.15, 0.06, 0.03, 0.15)),
        (ANKLE, 6, 0, (0.15, 0.06, 0.03, 0.13)),
    ],
)
def test_rates_depend_on_part_labels_and_crowd(
    part: int, n_labelled: int, n_near: int, rates: tuple[float, ...]
) -> None:
    found = ErrorRates(COCO17)(n_labelled, n_near)
    np.testing.assert_allclose(found[part], (1 - sum(rates), *rates))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_part_without_a_base_is_dropped() -> None:
    labelled = np.arange(17) != WRIST
    wrong = PoseErrors(COCO17)(np.full((17, 2), 50.0), labelled, 1e4, np.random.default_rng(0))
    assert wrong.kind[WRIST] == DROPPED
    assert not wrong.valid[WRIST]
    assert wrong.xy.dtype == np.float32


@pytest.mark.parametrize("skeleton", [COCO18, HAND21])
def test_other_skeletons_have_errors_too(skeleton: Skeleton) -> None:
    xy = np.random.default_rng(0).uniform(0, 200, (len(skeleton), 2))
    wrong = PoseErrors(skeleton)(xy, np.ones(len(skeleton), np.bool_), 4e4, np.random.default_rng(0))
    assert wrong.valid.all()
    assert (wrong.kind == GOOD).any()


def test_a_pose_takes_no_longer_than_seven_tenths_of_a_millisecond() -> None:
    rng = np.random.default_rng(0)
    xy, near = rng.normal(100, 60, (17, 2)), rng.normal(130, 60, (2, 17, 2))
    errors, labelled, near_labelled = PoseErrors(COCO17), np.ones(17, np.bool_), np.ones((2, 17), np.bool_)
    start = time.thread_time()
    for _ in range(300):
        errors(xy, labelled, 4e4, rng, near=near, near_labelled=near_labelled)
    assert (time.thread_time() - start) / 300 < 0.7e-3
