"""``mediapipe.python``: the same solutions under the longer name that programs also import them by."""

import sys

from trt_pose_app.compat.mediapipe import solutions

__all__ = ["solutions"]

# One module under two names, so that its classes are the same whichever a program takes.
sys.modules[f"{__name__}.solutions"] = solutions
for _name in solutions.__all__:
    sys.modules[f"{__name__}.solutions.{_name}"] = getattr(solutions, _name)
