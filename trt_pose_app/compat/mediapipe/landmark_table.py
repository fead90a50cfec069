"""Which parts of a skeleton MediaPipe's landmarks are, and what stands for one that a model cannot know."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.compat.mediapipe.pose_landmark import PoseLandmark as P
from trt_pose_app.skeleton import Skeleton

# The parts of HALPE26 and COCO133 that go by other names; where the names agree nothing needs saying.
_OTHER_NAMES = {
    "mouth_left": ("face-54",),
    "mouth_right": ("face-48",),
    **{
        f"{side}_{landmark}": (part.format(side),)
        for side in ("left", "right")
        for landmark, part in {
            "pinky": "{}_pinky_finger1",
            "index": "{}_forefinger1",
            "thumb": "{}_thumb3",
            "foot_index": "{}_big_toe",
        }.items()
    },
}

# (landmark, the nearest one that stands in for its place), from the trunk outwards and in the order of trying: a place
# found for a landmark serves those after it.
STAND_INS: tuple[tuple[P, P], ...] = (
    (P.LEFT_SHOULDER, P.RIGHT_SHOULDER), (P.RIGHT_SHOULDER, P.LEFT_SHOULDER),
    (P.LEFT_HIP, P.RIGHT_HIP), (P.RIGHT_HIP, P.LEFT_HIP),
    (P.LEFT_HIP, P.LEFT_SHOULDER), (P.RIGHT_HIP, P.RIGHT_SHOULDER),
    (P.LEFT_SHOULDER, P.LEFT_HIP), (P.RIGHT_SHOULDER, P.RIGHT_HIP),
    (P.NOSE, P.LEFT_EYE), (P.NOSE, P.RIGHT_EYE), (P.NOSE, P.LEFT_EAR), (P.NOSE, P.RIGHT_EAR),
    (P.NOSE, P.LEFT_SHOULDER),
    (P.LEFT_EYE, P.NOSE), (P.RIGHT_EYE, P.NOSE),
    (P.LEFT_EYE_INNER, P.LEFT_EYE), (P.LEFT_EYE_OUTER, P.LEFT_EYE), (P.LEFT_EAR, P.LEFT_EYE),
    (P.RIGHT_EYE_INNER, P.RIGHT_EYE), (P.RIGHT_EYE_OUTER, P.RIGHT_EYE), (P.RIGHT_EAR, P.RIGHT_EYE),
    (P.LEFT_ELBOW, P.LEFT_SHOULDER), (P.RIGHT_ELBOW, P.RIGHT_SHOULDER),
    (P.LEFT_WRIST, P.LEFT_ELBOW), (P.RIGHT_WRIST, P.RIGHT_ELBOW),
    (P.LEFT_PINKY, P.LEFT_WRIST), (P.LEFT_INDEX, P.LEFT_WRIST), (P.LEFT_THUMB, P.LEFT_WRIST),
    (P.RIGHT_PINKY, P.RIGHT_WRIST), (P.RIGHT_INDEX, P.RIGHT_WRIST), (P.RIGHT_THUMB, P.RIGHT_WRIST),
    (P.LEFT_KNEE, P.LEFT_HIP), (P.RIGHT_KNEE, P.RIGHT_HIP),
    (P.LEFT_ANKLE, P.LEFT_KNEE), (P.RIGHT_ANKLE, P.RIGHT_KNEE),
    (P.LEFT_HEEL, P.LEFT_ANKLE), (P.LEFT_FOOT_INDEX, P.LEFT_ANKLE),
    (P.RIGHT_HEEL, P.RIGHT_ANKLE), (P.RIGHT_FOOT_INDEX, P.RIGHT_ANKLE),
)  # fmt: skip
# The corners of the mouth lie a little below the nose, each towards its own shoulder.
MOUTH = ((P.MOUTH_LEFT, P.LEFT_SHOULDER), (P.MOUTH_RIGHT, P.RIGHT_SHOULDER))
MOUTH_TOWARDS_SHOULDER = 0.2


@lru_cache(maxsize=16)
def parts_of_landmarks(skeleton: Skeleton) -> NDArray[np.intp]:
    """Return, for each of the 33 landmarks, the index of the skeleton's part that it is, or -1: shape (33,)."""
    index = {part: i for i, part in enumerate(skeleton.parts)}
    found = []
    for landmark in P:
        name = landmark.name.lower()
        names = (name, *_OTHER_NAMES.get(name, ()))
        found.append(next((index[part] for part in names if part in index), -1))
    parts = np.array(found, np.intp)
    parts.setflags(write=False)
    return parts
