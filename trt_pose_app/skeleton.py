"""Named keypoint sets: their parts, limbs, left/right flips and OKS sigmas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Skeleton:
    """K named parts and the directed limbs between them.

    ``limbs`` are 0-based (from, to) pairs, directed as the part affinity field of that limb points.
    ``flip`` maps each part to its mirror image and is an involution. ``sigmas`` are the per-part
    constants of COCO's object keypoint similarity, or None where nobody has measured them.
    """

    name: str
    parts: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    flip: tuple[int, ...]
    sigmas: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        k_parts = len(self.parts)
        problems = []
        if len(set(self.parts)) != k_parts:
            problems.append("part names repeat")
        if any(not (0 <= a < k_parts and 0 <= b < k_parts and a != b) for a, b in self.limbs):
            problems.append(f"a limb names a part outside 0..{k_parts - 1} or joins a part to itself")
        if len(self.flip) != k_parts or any(not 0 <= f < k_parts or self.flip[f] != i for i, f in enumerate(self.flip)):
            problems.append("flip is no involution over the parts")
        if self.sigmas is not None and (len(self.sigmas) != k_parts or any(not s > 0 for s in self.sigmas)):
            problems.append("sigmas must be one positive number per part")
        if problems:
            raise ConfigError(
                f"skeleton {self.name!r}: {'; '.join(problems)}", hint="correct the skeleton's definition"
            )

    def __len__(self) -> int:
        return len(self.parts)

    def mapping_to(self, other: Skeleton) -> NDArray[np.intp]:
        """Return, for each part of ``other``, the index of the same-named part here, or -1: shape (K_other,)."""
        index = {part: i for i, part in enumerate(self.parts)}
        return np.array([index.get(part, -1) for part in other.parts], dtype=np.intp)


def flip_by_name(parts: Sequence[str]) -> tuple[int, ...]:
    """Return the left/right involution that the names ``left_*`` / ``right_*`` imply."""
    index = {part: i for i, part in enumerate(parts)}
    flip = []
    for i, part in enumerate(parts):
        side, _, rest = part.partition("_")
        mirror = {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, part)
        flip.append(index.get(mirror, i))
    return tuple(flip)


_COCO_PARTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
# COCO's published constants (cocodataset.org/#keypoints-eval).
_COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
    0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
_COCO_LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip

COCO17 = Skeleton("coco17", _COCO_PARTS, _COCO_LIMBS, flip_by_name(_COCO_PARTS), _COCO_SIGMAS)

# trt_pose's human_pose.json: COCO-17 plus the neck, the midpoint of the shoulders, as part 17.
# COCO gives no sigma for a neck; the shoulders' is used, whose midpoint it is.
COCO18 = Skeleton(
    "coco18",
    (*_COCO_PARTS, "neck"),
    (
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 7), (6, 8), (7, 9), (8, 10),
        (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (17, 0), (17, 5), (17, 6), (17, 11), (17, 12),
    ),
    flip_by_name((*_COCO_PARTS, "neck")),
    (*_COCO_SIGMAS, 0.079),
)  # fmt: skip

_OPENPOSE_PARTS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip

# Limbs in the order of OpenPose's COCO model's PAF channels.
OPENPOSE18 = Skeleton(
    "openpose18",
    _OPENPOSE_PARTS,
    (
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16),
        (1, 5), (5, 6), (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
    ),
    flip_by_name(_OPENPOSE_PARTS),
    tuple(COCO18.sigmas[COCO18.parts.index(p)] for p in _OPENPOSE_PARTS) if COCO18.sigmas else None,
)  # fmt: skip

_HALPE_PARTS = (
    *_COCO_PARTS, "head", "neck", "hip",
    "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel", "right_heel",
)  # fmt: skip

# Sigmas 17..25 as in mmpose's halpe26 dataset definition.
HALPE26 = Skeleton(
    "halpe26",
    _HALPE_PARTS,
    (
        (15, 13), (13, 11), (11, 19), (16, 14), (14, 12), (12, 19), (17, 18), (18, 19), (18, 5), (5, 7), (7, 9),
        (18, 6), (6, 8), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
        (15, 20), (15, 22), (15, 24), (16, 21), (16, 23), (16, 25),
    ),
    flip_by_name(_HALPE_PARTS),
    (*_COCO_SIGMAS, 0.026, 0.026, 0.066, 0.079, 0.079, 0.079, 0.079, 0.079, 0.079),
)  # fmt: skip

_FINGERS = ("thumb", "index_finger", "middle_finger", "ring_finger", "baby_finger")
_HAND_PARTS = ("palm", *(f"{finger}_{joint}" for finger in _FINGERS for joint in (1, 2, 3, 4)))
# mmpose's coco_wholebody_hand sigmas, per finger from base to tip; trt_pose_hand counts from the tip.
_HAND_BASE_TO_TIP = (
    (0.022, 0.035, 0.037, 0.047), (0.026, 0.025, 0.024, 0.035), (0.018, 0.024, 0.022, 0.026),
    (0.017, 0.021, 0.021, 0.032), (0.020, 0.019, 0.022, 0.031),
)  # fmt: skip

# trt_pose_hand: the palm, then each finger from its tip (_1) to the joint nearest the palm (_4).
HAND21 = Skeleton(
    "hand21",
    _HAND_PARTS,
    (
        *((0, 4 * f + 4) for f in range(5)),
        *((4 * f + j, 4 * f + j + 1) for f in range(5) for j in (1, 2, 3)),
    ),
    tuple(range(21)),
    (0.029, *(sigma for finger in _HAND_BASE_TO_TIP for sigma in reversed(finger))),
)

# The mirror images of iBUG's 68 face points, as (first, last, sum): i and sum - i are a pair.
_FACE_MIRRORS = (
    (0, 16, 16), (17, 26, 43), (31, 35, 66), (36, 39, 81), (42, 45, 81), (40, 41, 87), (46, 47, 87), (48, 54, 102),
    (55, 59, 114), (60, 64, 124), (65, 67, 132),
)  # fmt: skip
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.010, 0.008,
)  # fmt: skip


def _coco133() -> Skeleton:
    fingers = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
    hand = ("hand_root", *(f"{finger}{joint}" for finger in fingers for joint in (1, 2, 3, 4)))
    feet = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))
    face = tuple(f"face-{i}" for i in range(68))
    parts = (*_COCO_PARTS, *feet, *face, *(f"{side}_{part}" for side in ("left", "right") for part in hand))
    flip = list(flip_by_name(parts))
    for first, last, total in _FACE_MIRRORS:
        for i in range(first, last + 1):
            flip[parts.index(f"face-{i}")] = parts.index(f"face-{total - i}")
    limbs = [*_COCO_LIMBS, (15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22)]
    for wrist, root in ((9, 91), (10, 112)):
        for base in range(root + 1, root + 21, 4):
            limbs += [(wrist, base), *((joint, joint + 1) for joint in range(base, base + 3))]
    hand_sigmas = (0.029, *(sigma for finger in _HAND_BASE_TO_TIP for sigma in finger))
    feet_sigmas = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
    sigmas = (*_COCO_SIGMAS, *feet_sigmas, *_FACE_SIGMAS, *hand_sigmas, *hand_sigmas)
    return Skeleton("coco133", parts, tuple(limbs), tuple(flip), sigmas)


# COCO-WholeBody: body, feet, face and hands. Names, limbs and sigmas as in mmpose's definition, where the face has no
# limbs and the fingers start at the wrist of the body.
COCO133 = _coco133()

SKELETONS = {s.name: s for s in (COCO17, COCO18, OPENPOSE18, HALPE26, HAND21, COCO133)}
