"""The pairing with the largest sum, compared with a search through all pairings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trt_pose_app.track.assignment import assign

SHAPES = st.tuples(st.integers(0, 5), st.integers(0, 5))
# Few values, so that ties are many; some below 0.
VALUES = st.sampled_from([-1, 0, 0.25, 0.5, 1])
WEIGHTS = SHAPES.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=VALUES))


def best_sum(weights: np.ndarray) -> float:
    if weights.shape[0] > weights.shape[1]:
        weights = weights.T
    useful = np.maximum(weights, 0)
    return max(
        sum(useful[i, j] for i, j in enumerate(columns))
        for columns in permutations(range(weights.shape[1]), len(weights))
    )


@given(WEIGHTS)
def test_no_pairing_has_a_larger_sum(weights: np.ndarray):
    rows, columns = assign(weights)
    assert weights[rows, columns].sum() == best_sum(weights)
    assert (weights[rows, columns] > 0).all()
    assert len(set(columns.tolist())) == len(columns)
    assert (np.diff(rows) > 0).all()


def test_the_best_pair_gives_way_where_all_together_gain():
    rows, columns = assign(np.array([[0.9, 0.8], [0.8, 0.1]]))
    assert list(zip(rows.tolist(), columns.tolist())) == [(0, 1), (1, 0)]


def test_a_bad_pair_is_left_out_rather_than_worked_around():
    weights = np.array([[0.25, 0.25, -1, 0.25], [1, 0.25, 0.25, 0.25], [0.25, 0.25, -1, 0.25], [0.25, 0.25, -1, 0.25]])
    rows, columns = assign(weights)
    assert weights[rows, columns].sum() == 1.5


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 3)])
def test_nothing_alike_pairs_nobody(shape: tuple[int, int]):
    rows, columns = assign(np.zeros(shape, np.float32))
    assert len(rows) == len(columns) == 0
