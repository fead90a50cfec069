"""``mediapipe`` as far as its legacy pose solution goes: change the import, and a program written for it runs again.

``from trt_pose_app.compat import mediapipe as mp`` gives ``mp.solutions.pose``, ``mp.solutions.drawing_utils`` and
``mp.solutions.drawing_styles``; messages come from ``framework.formats.landmark_pb2``. docs/mediapipe.md tells what
differs.
"""

from typing import NoReturn

from trt_pose_app.compat.mediapipe import python, solutions
from trt_pose_app.compat.mediapipe.errors import BadAttributeError

__version__ = "0.10.21"  # whose interface this is

__all__ = ["python", "solutions", "__version__"]


def __getattr__(name: str) -> NoReturn:
    raise BadAttributeError(f"mediapipe.{name} is not here: only mp.solutions.pose is", hint="see docs/mediapipe.md")
