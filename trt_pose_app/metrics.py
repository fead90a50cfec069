"""Histograms of durations in constant memory, for runs that last months."""

from __future__ import annotations

import math
from collections.abc import Mapping

_LOWEST_MS = 1e-3
_RATIO = 1.02  # of neighbouring bin edges: a quantile is right to 1 %
_BINS = math.ceil(math.log(1e9) / math.log(_RATIO))  # up to 1e6 ms


class Histogram:
    """Counts of durations in milliseconds over logarithmic bins."""

    def __init__(self) -> None:
        self._counts = [0] * (_BINS + 1)
        self.count = 0
        self.sum_ms = 0.0

    def add(self, duration_ms: float) -> None:
        """Count one duration; what lies outside the bins goes into the first or last."""
        position = math.log(duration_ms / _LOWEST_MS) / math.log(_RATIO) if duration_ms > _LOWEST_MS else 0
        self._counts[min(_BINS, int(position))] += 1
        self.count += 1
        self.sum_ms += duration_ms

    def quantile(self, q: float) -> float:
        """Return the duration in ms below which the share ``q`` lies; NaN while nothing was counted."""
        rank, seen = q * self.count, 0
        for position, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return float(_LOWEST_MS * _RATIO ** (position + 0.5))
        return math.nan

    def summary(self) -> Mapping[str, float]:
        """Return p50, p95, p99 and mean in ms, rounded to microseconds; zeros while nothing was counted."""
        if not self.count:
            return {"p50": 0.0, "p95": 0.0, "p99": 0.0, "mean": 0.0}
        quantiles = {f"p{round(q * 100)}": round(self.quantile(q), 3) for q in (0.5, 0.95, 0.99)}
        return {**quantiles, "mean": round(self.sum_ms / self.count, 3)}
