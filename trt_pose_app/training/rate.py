"""The learning rate over a run."""

from __future__ import annotations

import math

from trt_pose_app.training.recipe import ScheduleRecipe


def rate_at(step: int, schedule: ScheduleRecipe) -> float:
    """Return the learning rate of a step: a linear warm-up, flat, then half a cosine down to zero.

    With ``schedule.rates`` it is the last of those that have begun, after the warm-up.
    """
    if step < schedule.warm_up_steps:
        return schedule.learning_rate * (step + 1) / schedule.warm_up_steps
    if schedule.rates:
        return next((rate for start, rate in reversed(schedule.rates) if step >= start), schedule.learning_rate)
    start = schedule.flat * schedule.steps
    if step < start:
        return schedule.learning_rate
    share = min((step - start) / max(schedule.steps - start, 1), 1.0)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
