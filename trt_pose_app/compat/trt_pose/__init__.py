"""The names that programs use of NVIDIA's trt_pose, on numpy arrays or torch tensors, without torch or a compiler.

Where such a program says ``import trt_pose.coco`` or ``from trt_pose.parse_objects import ParseObjects``, write
``trt_pose_app.compat.trt_pose`` for ``trt_pose``. Results are the original's, defects included; see docs/decoding.md
for what ``PafDecoder`` does better.
"""

from trt_pose_app.compat.trt_pose import coco, draw_objects, models, parse_objects
from trt_pose_app.compat.trt_pose.coco import coco_category_to_topology
from trt_pose_app.compat.trt_pose.draw_objects import DrawObjects
from trt_pose_app.compat.trt_pose.parse_objects import ParseObjects

__all__ = [
    "DrawObjects",
    "ParseObjects",
    "coco",
    "coco_category_to_topology",
    "draw_objects",
    "models",
    "parse_objects",
]
