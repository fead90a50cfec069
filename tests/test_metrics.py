"""Quantiles from bins are right to one percent, whatever the durations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.metrics import Histogram


@given(st.lists(st.floats(0.002, 9e5), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_its_bin(durations: list[float], q: float) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    exact = float(np.quantile(durations, q, method="inverted_cdf"))
    assert histogram.quantile(q) == pytest.approx(exact, rel=0.0201)


def test_an_empty_histogram_says_so() -> None:
    assert math.isnan(Histogram().quantile(0.5))
    assert Histogram().summary() == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "mean": 0.0}


@pytest.mark.parametrize("duration", [-1.0, 0.0, 1e-9, 1e12])
def test_odd_durations_are_counted_at_the_ends(duration: float) -> None:
    histogram = Histogram()
    histogram.add(duration)
    assert histogram.count == 1
    assert math.isfinite(histogram.quantile(0.5))
