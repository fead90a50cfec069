"""trt_pose's topology of a COCO category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.models.task_file import task_skeleton


def coco_category_to_topology(coco_category: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return the topology (K, 4) of a category such as human_pose.json's.

    Row k is (PAF channel of y, PAF channel of x, source part, sink part) of limb k; parts count from 0. An array, where
    the original gives a tensor. Raises ConfigError if the category has no keypoints or skeleton, or a wrong one.
    """
    limbs = task_skeleton(coco_category, str(coco_category.get("name", "category"))).limbs
    return np.array([(2 * k, 2 * k + 1, a, b) for k, (a, b) in enumerate(limbs)], np.int32).reshape(-1, 4)
