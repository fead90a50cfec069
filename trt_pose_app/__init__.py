"""2D human pose on NVIDIA Jetson: a checkpoint to a verified engine, a camera to keypoints.

Importing this package loads nothing heavy; each public name is resolved when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trt_pose_app.errors import TrtPoseError as TrtPoseError
    from trt_pose_app.estimators import load as load
    from trt_pose_app.skeleton import Skeleton as Skeleton
    from trt_pose_app.sources import open_source as open_source
    from trt_pose_app.types import Frame as Frame
    from trt_pose_app.types import Poses as Poses

__version__ = "0.1.0"

_PUBLIC = {
    "Frame": "trt_pose_app.types",
    "Poses": "trt_pose_app.types",
    "Skeleton": "trt_pose_app.skeleton",
    "TrtPoseError": "trt_pose_app.errors",
    "load": "trt_pose_app.estimators",
    "open_source": "trt_pose_app.sources",
}

__all__ = ["Frame", "Poses", "Skeleton", "TrtPoseError", "__version__", "load", "open_source"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
