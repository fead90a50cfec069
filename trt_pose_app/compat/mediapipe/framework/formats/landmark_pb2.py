"""Landmarks and lists of them, with the part of protobuf's message interface that programs use.

As in protobuf a field counts as set once something was assigned to it, and lists copy what is put into them.
``google.protobuf.json_format.MessageToDict`` and ``MessageToJson`` take them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trt_pose_app.compat.mediapipe.errors import BadAttributeError
from trt_pose_app.compat.mediapipe.framework.formats.message import Descriptor, Field, FloatMessage, Message, Repeated

__all__ = ["Landmark", "LandmarkList", "NormalizedLandmark", "NormalizedLandmarkList"]

_POINT = tuple(Field(name) for name in ("x", "y", "z", "visibility", "presence"))
_LIST = (Field("landmark", repeated=True),)


class Landmark(FloatMessage):
    """A point in metres, and how likely it is visible and present at all."""

    DESCRIPTOR = Descriptor("mediapipe.Landmark", _POINT)

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    visibility: float = 0.0
    presence: float = 0.0


class NormalizedLandmark(Landmark):
    """A point in the picture: x and y from 0 to 1 over its width and height, z on the scale of x."""

    DESCRIPTOR = Descriptor("mediapipe.NormalizedLandmark", _POINT)


class LandmarkList(Message):
    """Points in metres, in ``landmark``."""

    DESCRIPTOR = Descriptor("mediapipe.LandmarkList", _LIST)

    landmark: Repeated[Any]

    def __init__(self, landmark: Iterable[Landmark] = ()) -> None:
        self.__dict__["landmark"] = Repeated(Landmark, landmark)

    def __setattr__(self, name: str, value: object) -> None:
        self._field(name, BadAttributeError)
        raise BadAttributeError(f"assignment not allowed to the list {name}", hint="clear and extend it instead")


class NormalizedLandmarkList(LandmarkList):
    """Points in the picture, in ``landmark``."""

    DESCRIPTOR = Descriptor("mediapipe.NormalizedLandmarkList", _LIST)

    def __init__(self, landmark: Iterable[NormalizedLandmark] = ()) -> None:
        self.__dict__["landmark"] = Repeated(NormalizedLandmark, landmark)
