"""Parts that are reported together: both sides of a joint, and the joints outside the face."""

from __future__ import annotations

from trt_pose_app.skeleton import Skeleton

_FACE = {"nose", "eye", "ear"}


def joint_groups(skeleton: Skeleton) -> dict[str, list[int]]:
    """Return name -> parts, left and right together, in the skeleton's order."""
    groups: dict[str, list[int]] = {}
    for i, part in enumerate(skeleton.parts):
        groups.setdefault(part.removeprefix("left_").removeprefix("right_"), []).append(i)
    return groups


def limb_joints(skeleton: Skeleton) -> list[int] | None:
    """Return the parts outside the face, or None for a skeleton without a face."""
    groups = joint_groups(skeleton)
    if not groups.keys() >= _FACE:
        return None
    return sorted(part for name, parts in groups.items() if name not in _FACE for part in parts)
