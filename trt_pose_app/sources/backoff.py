"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first_s: float, longest_s: float, *, rng: random.Random | None = None) -> Iterator[float]:
    """Yield pauses in seconds without end: doubling from ``first_s``, never above ``longest_s``.

    Each is drawn from the upper half of its value, so that many devices do not come back in step.
    """
    rng = rng or random.Random()
    pause_s = min(first_s, longest_s)
    while True:
        yield pause_s * rng.uniform(0.5, 1.0)
        pause_s = min(2 * pause_s, longest_s)
