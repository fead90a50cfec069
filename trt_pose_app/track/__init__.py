"""People over time: the same id for the same person, and keypoints that do not tremble."""

from __future__ import annotations

from trt_pose_app.track.one_euro import PoseSmoother
from trt_pose_app.track.tracker import PredictedBoxes, Tracker

__all__ = ["PoseSmoother", "PredictedBoxes", "Tracker"]
