"""What ``process`` returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from trt_pose_app.compat.mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList
from trt_pose_app.compat.mediapipe.landmarks import landmarks_of
from trt_pose_app.geometry import Size
from trt_pose_app.types import Poses


@dataclass(slots=True)
class SolutionOutputs:
    """The landmarks of one picture, or None where nobody is.

    As attributes, as MediaPipe has them, or by name: ``results['pose_landmarks']``, ``results.get('pose_landmarks')``.
    ``pose_world_landmarks`` and ``segmentation_mask`` are always None: no model here gives metres or outlines.
    """

    pose_landmarks: NormalizedLandmarkList | None = None
    pose_world_landmarks: None = None
    segmentation_mask: None = None

    __iter__ = None  # subscripts by name alone would make it iterable, and fail

    def __getitem__(self, name: str) -> Any:
        if name not in (field.name for field in fields(self)):
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what ``name`` holds, or ``default`` where that is None or there is no such name."""
        value = getattr(self, name, None) if isinstance(name, str) else None
        return default if value is None else value


def outputs_of(poses: Poses, frame_size: Size) -> SolutionOutputs:
    """Return the first of ``poses`` in a frame of (width, height) as ``process`` does, or None for nobody."""
    return SolutionOutputs(landmarks_of(poses, 0, frame_size)) if len(poses) else SolutionOutputs()
