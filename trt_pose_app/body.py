"""Measures of bodies in the picture: joint angles, widths and lengths, for all people at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError
from trt_pose_app.types import Poses

Array = NDArray[np.float32]

# Each angle lies at the middle part, between the directions to the other two: straight is 180 degrees.
ANGLES = {
    f"{side}_{middle}": (f"{side}_{first}", f"{side}_{middle}", f"{side}_{last}")
    for first, middle, last in (
        ("shoulder", "elbow", "wrist"),
        ("hip", "shoulder", "elbow"),
        ("shoulder", "hip", "knee"),
        ("hip", "knee", "ankle"),
        ("knee", "ankle", "big_toe"),
    )
    for side in ("left", "right")
}
_PARTS = tuple(dict.fromkeys(part for parts in ANGLES.values() for part in parts))
_SHORTEST_PX = 1e-3  # two keypoints in one place have no direction between them


@dataclass(frozen=True, slots=True, eq=False)
class BodyMetrics:
    """What was measured of N people. NaN where a keypoint that it takes is missing, too unsure or not in the skeleton.

    ``angle_deg`` holds for each name of ``ANGLES`` the angle (N,) at that joint, 0 to 180, as the picture shows it: a
    limb that points at the camera is foreshortened. ``shoulder_width_px``, ``hip_width_px`` and ``torso_length_px``
    (N,), the last between the middles of shoulders and hips. ``lean_deg`` (N,) is how far the torso is from upright,
    -180 to 180, positive where the shoulders are to the right in the picture.
    """

    angle_deg: dict[str, Array]
    shoulder_width_px: Array
    hip_width_px: Array
    torso_length_px: Array
    lean_deg: Array

    def __len__(self) -> int:
        return len(self.lean_deg)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return one plain dictionary for each person, with None for NaN and one decimal."""
        named = {f"{name}_deg": values for name, values in self.angle_deg.items()}
        for field in ("shoulder_width_px", "hip_width_px", "torso_length_px", "lean_deg"):
            named[field] = getattr(self, field)
        return [
            {name: None if np.isnan(values[i]) else round(float(values[i]), 1) for name, values in named.items()}
            for i in range(len(self))
        ]


def measure(poses: Poses, *, min_score: float = 0.3) -> BodyMetrics:
    """Return the measures of everybody in ``poses``; keypoints with a score below ``min_score`` count as missing.

    Raises ConfigError for a skeleton without shoulders, hips or other parts of a body.
    """
    places = _places(poses, min_score)
    left, right = places["left_shoulder"], places["right_shoulder"]
    left_hip, right_hip = places["left_hip"], places["right_hip"]
    torso = (left + right - left_hip - right_hip) * np.float32(0.5)
    return BodyMetrics(
        {name: _angle_deg(*(places[part] for part in parts)) for name, parts in ANGLES.items()},
        _length(left - right),
        _length(left_hip - right_hip),
        _length(torso),
        np.where(_length(torso) > _SHORTEST_PX, np.degrees(np.arctan2(torso[:, 0], -torso[:, 1])), np.float32(np.nan)),
    )


def _places(poses: Poses, min_score: float) -> dict[str, Array]:
    """Return where each part is, (N, 2), NaN where it is not seen well enough."""
    if not {"left_shoulder", "left_hip"} <= set(poses.skeleton.parts):
        raise ConfigError(
            f"the skeleton {poses.skeleton.name} has no shoulders and hips", hint="measure people, not hands or objects"
        )
    xy = np.where(poses.score[..., None] >= min_score, poses.xy, np.float32(np.nan))
    index = {part: i for i, part in enumerate(poses.skeleton.parts)}
    missing = np.full((len(poses), 2), np.nan, np.float32)
    return {part: xy[:, index[part]] if part in index else missing for part in _PARTS}


def _angle_deg(a: Array, joint: Array, b: Array) -> Array:
    """Return the angle (N,) at ``joint`` between the directions to ``a`` and ``b``, all (N, 2), in degrees."""
    u, v = a - joint, b - joint
    cross, dot = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1)
    # arctan2 keeps its precision near 0 and 180 degrees, where arccos loses it.
    angle: Array = np.degrees(np.arctan2(np.abs(cross), dot))
    return np.where(np.minimum(_length(u), _length(v)) > _SHORTEST_PX, angle, np.float32(np.nan))


def _length(vectors: Array) -> Array:
    length: Array = np.hypot(vectors[:, 0], vectors[:, 1])
    return length
