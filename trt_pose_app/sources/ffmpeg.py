"""FFmpeg through PyAV: imported when needed, its errors in words."""

from __future__ import annotations

from types import ModuleType

from trt_pose_app.errors import DependencyError


def import_av() -> ModuleType:
    """Return the module ``av``. Raises DependencyError."""
    try:
        import av
    except ImportError as error:
        raise DependencyError(
            "videos and network cameras need the package av", hint="pip install 'trt-pose-app[video]'"
        ) from error
    module: ModuleType = av
    return module


def reason(error: BaseException) -> str:
    """Return what FFmpeg says, without the file name or URL that ``str(error)`` quotes, credentials and all."""
    return getattr(error, "strerror", None) or type(error).__name__
