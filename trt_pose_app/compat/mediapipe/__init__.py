"""``mediapipe`` as far as its legacy pose solution goes: change the import, and a program written for it runs again.

``from trt_pose_app.compat import mediapipe as mp`` gives ``mp.solutions.pose``, ``mp.solutions.drawing_utils`` and
``mp.solutions.drawing_styles``; messages come from ``framework.formats.landmark_pb2``. docs/mediapipe.md tells what
differs.
"""

from trt_pose_app.compat.mediapipe import solutions

__version__ = "0.10.21"  # whose interface this is

__all__ = ["solutions", "__version__"]
