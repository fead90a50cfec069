"""Poses with parts left out, as bottom-up estimators give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drop_joints(valid: NDArray[np.bool_], most: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return ``valid`` (K,) with some parts less.

    Each is dropped with one probability, itself drawn between 0 and ``most``: whole poses stay common and rags of poses
    occur. The last part is never dropped.
    """
    kept: NDArray[np.bool_] = valid & (rng.random(len(valid)) >= rng.uniform(0, most))
    return kept if kept.any() else valid
