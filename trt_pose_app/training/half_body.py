"""Half bodies: legs that are covered in the picture and come too short in the pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton

_SHORTENED = 0.8  # what estimators do to legs behind a table
_MARGIN = 0.1  # of the covered box, each side

Box = tuple[float, float, float, float]


def has_legs(skeleton: Skeleton) -> bool:
    """Return whether the skeleton has hips, knees and ankles."""
    return {f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle")} <= set(skeleton.parts)


def shorten_legs(pose: NDArray[np.floating], skeleton: Skeleton) -> NDArray[np.float32]:
    """Return ``pose`` (K, 2) with both segments of each leg 0.8 as long, the hips where they were."""
    short = np.array(pose, np.float32)
    for side in ("left", "right"):
        hip, knee, ankle = (skeleton.parts.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        short[knee] = pose[hip] + _SHORTENED * (pose[knee] - pose[hip])
        short[ankle] = short[knee] + _SHORTENED * (pose[ankle] - pose[knee])
    return short


def legs_box(pose: NDArray[np.floating], labelled: NDArray[np.bool_], skeleton: Skeleton) -> Box | None:
    """Return x0, y0, x1, y1 around the labelled knees and ankles of ``pose``, a little larger, or None without any."""
    parts = [i for i, part in enumerate(skeleton.parts) if part.endswith(("_knee", "_ankle")) and labelled[i]]
    if not parts:
        return None
    low, high = pose[parts].min(axis=0), pose[parts].max(axis=0)
    margin = _MARGIN * max(*(high - low), 1.0)
    return float(low[0] - margin), float(low[1] - margin), float(high[0] + margin), float(high[1] + margin)
