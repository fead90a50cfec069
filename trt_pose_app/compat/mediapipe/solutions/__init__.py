"""``mp.solutions``: the pose and what draws it."""

from trt_pose_app.compat.mediapipe.solutions import drawing_styles, drawing_utils, pose

__all__ = ["drawing_styles", "drawing_utils", "pose"]
