"""OpenCV, which is no hard dependency: a Jetson's own build must not be shadowed by one from a registry."""

from __future__ import annotations

from typing import Any

from trt_pose_app.errors import DependencyError


def opencv() -> Any:
    """Return the module cv2. Raises DependencyError where it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(
            "OpenCV is not installed",
            hint="pip install 'trt-pose-app[cpu]'; on a Jetson: apt install python3-opencv",
        ) from error
    return cv2
