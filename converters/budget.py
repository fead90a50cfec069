"""How far a conversion may be from its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from trt_pose_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a ``ParityReport``; None: not looked at.

    ``max_error`` and ``mean_error`` are of each output, relative to its range in the source. ``argmax`` is the least
    share of keypoints in sight whose peak stays a peak, give or take a cell, ``people`` that of people (or boxes) found
    again, ``shift_px`` the largest mean shift of their keypoints in pixels of the network's input, ``ap_loss`` in
    points of 100.
    """

    max_error: float | None = None
    mean_error: float | None = None
    argmax: float | None = None
    people: float | None = None
    shift_px: float | None = None
    ap_loss: float | None = None


# fp32: another order of the same sums. fp16: 11 bits a value, summed up over the layers; PP-TinyPose, which loses no AP
# by it, comes to 0.062 at the flank of a peak. int8: 8 bits, so that peaks move by a cell here and there; what counts
# is that people stay.
BUDGETS = {
    "fp32": Budget(max_error=1e-3, mean_error=1e-4, argmax=0.99, people=0.98, shift_px=0.1, ap_loss=0.05),
    "fp16": Budget(max_error=0.1, mean_error=5e-3, argmax=0.95, people=0.9, shift_px=1.0, ap_loss=0.2),
    "int8": Budget(max_error=None, mean_error=0.03, argmax=0.8, people=0.8, shift_px=3.0, ap_loss=1.5),
}


def budget_for(precision: str, changes: Mapping[str, float | None], *, kind: str) -> Budget:
    """Return the default budget of a precision and a ``kind`` of network with some limits changed.

    Raises ConfigError for an unknown limit.
    """
    names = [field.name for field in fields(Budget)]
    if unknown := sorted(changes.keys() - set(names)):
        raise ConfigError(f"there is no limit {', '.join(unknown)}", hint=f"limits are {', '.join(names)}")
    if wrong := sorted(name for name, limit in changes.items() if limit is not None and not limit >= 0):
        raise ConfigError(f"the limit {', '.join(wrong)} is negative or not a number", hint="limits start at 0")
    budget = BUDGETS[precision]
    if kind == "detector" and precision != "fp32":
        budget = replace(budget, max_error=None)  # a box around nobody, of which there are thousands, may be any
    return replace(budget, **changes)
