"""SimccDecoder: two rows of bins per keypoint, one across and one down the input, to coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.keypoints import Keypoints, as_float32
from trt_pose_app.errors import DecodeError

SimccScore = Literal["min", "mean", "max"]


class SimccDecoder:
    """Reads the highest bin of each row (Li et al. 2022), as mmpose does without UDP and DARK.

    ``split_ratio`` bins are one input pixel. ``score`` makes one number of a keypoint's two peaks: mmpose takes the
    smaller one, rtmlib the mean, others the larger one, and their thresholds do not compare.
    """

    def __init__(self, *, split_ratio: float = 2.0, score: SimccScore = "min") -> None:
        self._split_ratio = split_ratio
        self._score = score

    def decode(self, outputs: Mapping[str, NDArray[Any]]) -> Keypoints:
        """Return the keypoints of N people from ``x`` (N, K, width * ratio) and ``y`` (N, K, height * ratio).

        Pixels of the network's input; a keypoint whose score is not above 0 is missing. Raises DecodeError for
        another shape or dtype.
        """
        x, y = as_float32(outputs, "x", 3), as_float32(outputs, "y", 3)
        if x.shape[:2] != y.shape[:2]:
            raise DecodeError(
                f"x is {x.shape} and y is {y.shape}", hint="both rows of bins are (people, keypoints, bins)"
            )
        at = np.stack([x.argmax(axis=2), y.argmax(axis=2)], axis=2)
        peak_x, peak_y = x.max(axis=2), y.max(axis=2)
        if self._score == "mean":
            score = 0.5 * (peak_x + peak_y)
        else:
            score = np.minimum(peak_x, peak_y) if self._score == "min" else np.maximum(peak_x, peak_y)
        return Keypoints.of(at.astype(np.float32) / np.float32(self._split_ratio), score)
