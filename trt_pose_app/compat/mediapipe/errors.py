"""MediaPipe's errors: the same built-in types that programs catch, and a hint like all errors of this package."""

from __future__ import annotations

from trt_pose_app.errors import ConfigError


class BadValueError(ConfigError, ValueError):
    """A picture, field, option or state that MediaPipe answers with ValueError."""


class BadTypeError(ConfigError, TypeError):
    """What MediaPipe answers with TypeError."""


class BadShapeError(ConfigError, IndexError):
    """A picture without channels: MediaPipe's IndexError."""


class EmptyPictureError(ConfigError, RuntimeError):
    """A picture without pixels: MediaPipe's RuntimeError."""


class BadAttributeError(ConfigError, AttributeError):
    """No picture at all, or a field that does not exist: MediaPipe's AttributeError."""
