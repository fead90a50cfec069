"""``mp.solutions.drawing_styles``: MediaPipe's colours for a person's left, right and nose."""

from __future__ import annotations

from collections.abc import Mapping

from trt_pose_app.compat.mediapipe.pose_landmark import PoseLandmark
from trt_pose_app.compat.mediapipe.solutions.drawing_utils import WHITE_COLOR, DrawingSpec

_LEFT_COLOR = (0, 138, 255)
_RIGHT_COLOR = (231, 217, 0)


def get_default_pose_landmarks_style() -> Mapping[int, DrawingSpec]:
    """Return how each of the 33 landmarks is drawn: left orange, right turquoise, the nose white."""
    style: dict[int, DrawingSpec] = {PoseLandmark.NOSE: DrawingSpec(color=WHITE_COLOR)}
    for landmark in PoseLandmark:
        if "LEFT" in landmark.name:
            style[landmark] = DrawingSpec(color=_LEFT_COLOR)
        elif "RIGHT" in landmark.name:
            style[landmark] = DrawingSpec(color=_RIGHT_COLOR)
    return style
