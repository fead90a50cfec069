"""``mp.solutions``: the pose and what draws it."""

from typing import NoReturn

from trt_pose_app.compat.mediapipe.errors import BadAttributeError

from . import drawing_styles as drawing_styles
from . import drawing_utils as drawing_utils
from . import pose as pose

__all__ = ["drawing_styles", "drawing_utils", "pose"]


def __getattr__(name: str) -> NoReturn:
    raise BadAttributeError(f"solutions.{name} is not here: only mp.solutions.pose is", hint="see docs/mediapipe.md")
