"""Which frames a network looks at, by their number alone."""

from __future__ import annotations

from enum import Enum

from trt_pose_app.types import Frame


class Look(Enum):
    """How a frame's people are found: by everything, by the pose network where people were, or by optical flow."""

    WHOLE = "whole"
    REGIONS = "regions"
    CARRY = "carry"


class Schedule:
    """Tells for every frame which ``Look`` is due.

    The networks are due on every ``inference_gap``-th frame from the first one of a source, and the detector on the
    first of those at or after every ``detector_gap``-th frame. Looks in between, because somebody was lost, do not
    move what is scheduled.
    """

    def __init__(self, inference_gap: int, detector_gap: int) -> None:
        self._inference_gap = inference_gap
        self._detector_gap = detector_gap
        self._number = -1
        self._detector_slot = -1
        self._last: Frame | None = None

    def next(self, frame: Frame) -> Look:
        """Return what is due. Another source, another size or a lower index (a file played again) start anew."""
        last, self._last = self._last, frame
        fresh = last is None or (frame.source, frame.width, frame.height) != (last.source, last.width, last.height)
        if fresh or (last is not None and frame.index < last.index):
            self._number = self._detector_slot = -1
        self._number += 1
        if self._number % self._inference_gap:
            return Look.CARRY
        slot = self._number // self._detector_gap
        if slot == self._detector_slot:
            return Look.REGIONS
        self._detector_slot = slot
        return Look.WHOLE
