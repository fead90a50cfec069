"""``mp.solutions``: the pose and what draws it."""

from . import drawing_styles as drawing_styles
from . import drawing_utils as drawing_utils
from . import pose as pose

__all__ = ["drawing_styles", "drawing_utils", "pose"]
