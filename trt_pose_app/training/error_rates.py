"""ErrorRates: how often estimators get each part wrong, and how."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton

# PoseFix's shares, by part without its side. Jitter: up to 10 parts labelled, more. Miss: up to 5, up to 10, more.
# Inversion. Swap: in a crowd, otherwise.
_RATES = {
    #            jitter      miss              inversion  swap
    "nose":     (0.15, 0.10, 0.15, 0.10, 0.02, 0.01, 0.02, 0.01),
    "eye":      (0.20, 0.15, 0.15, 0.10, 0.02, 0.01, 0.02, 0.01),
    "ear":      (0.20, 0.15, 0.15, 0.10, 0.02, 0.01, 0.02, 0.01),
    "shoulder": (0.20, 0.15, 0.20, 0.13, 0.05, 0.03, 0.15, 0.06),
    "neck":     (0.20, 0.15, 0.20, 0.13, 0.05, 0.03, 0.15, 0.06),  # COCO has none; it is made of the shoulders
    "elbow":    (0.20, 0.15, 0.25, 0.15, 0.10, 0.03, 0.15, 0.06),
    "wrist":    (0.20, 0.15, 0.25, 0.15, 0.10, 0.03, 0.15, 0.06),
    "hip":      (0.25, 0.20, 0.25, 0.15, 0.10, 0.06, 0.10, 0.03),
    "knee":     (0.15, 0.10, 0.25, 0.15, 0.10, 0.06, 0.10, 0.03),
    "ankle":    (0.15, 0.10, 0.20, 0.13, 0.05, 0.06, 0.10, 0.03),
}  # fmt: skip
_UNKNOWN_PART = "wrist"


class ErrorRates:
    """The shares of good, jitter, inversion, swap and miss for each part of a skeleton.

    They depend on how many parts are labelled and on how many people overlap. Parts that COCO does not have are taken
    for wrists.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        parts = [part.removeprefix("left_").removeprefix("right_") for part in skeleton.parts]
        self._table = np.array([_RATES.get(part, _RATES[_UNKNOWN_PART]) for part in parts])

    def __call__(self, n_labelled: int, n_near: int) -> NDArray[np.float64]:
        """Return (K, 5) shares, which add up to 1 in each row."""
        crowded = (n_labelled <= 10 and n_near > 0) or (n_labelled <= 15 and n_near >= 3)
        jitter = 0 if n_labelled <= 10 else 1
        miss = 2 if n_labelled <= 5 else 3 if n_labelled <= 10 else 4
        rates = np.empty((len(self._table), 5))
        rates[:, 1:] = self._table[:, [jitter, 5, 6 if crowded else 7, miss]]
        rates[:, 0] = 1 - rates[:, 1:].sum(axis=1)
        return rates
