"""Made-up people for the tests of training."""

from __future__ import annotations

import numpy as np

from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.targets import People


def crowd(n_people: int, skeleton: Skeleton, size: int, seed: int = 0) -> People:
    """Return people whose keypoints are all sure and lie around centres all over a picture of ``size`` px."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0.1 * size, 0.9 * size, (n_people, 1, 2))
    xy = (centre + rng.normal(0, 0.08 * size, (n_people, len(skeleton), 2))).astype(np.float32)
    return People(
        xy,
        np.full((n_people, len(skeleton)), 2, np.uint8),
        np.concatenate((xy.min(axis=1), xy.max(axis=1)), axis=1),
        np.tile(np.array([0, 0, size, size], np.float32), (n_people, 1)),
        np.empty((0, 4), np.float32),
    )
