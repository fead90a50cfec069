"""Frames, people and runs for tests: a standing figure, and hypothesis strategies for every Poses there can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trt_pose_app.message import RunInfo
from trt_pose_app.skeleton import COCO17, SKELETONS, Skeleton
from trt_pose_app.types import Frame, Poses, boxes_around

# A figure that faces the camera, its hips at the origin, 500 px tall, in the order of COCO17.
STANDING = np.array(
    [
        (0, -230), (12, -242), (-12, -242), (26, -236), (-26, -236), (60, -170), (-60, -170), (85, -80), (-85, -80),
        (92, 10), (-92, 10), (35, 0), (-35, 0), (38, 125), (-38, 125), (40, 258), (-40, 258),
    ],
    np.float32,
)  # fmt: skip


def a_run(**changes: Any) -> RunInfo:
    values: dict[str, Any] = {
        "device": "jetson-01",
        "camera": "cam0",
        "source": "csi://0",
        "boot_id": "5f2c",
        "model": "pose-nano@3fa91c02",
        "skeleton": COCO17,
        "backend": "onnxruntime-cpu",
        "live": False,
        "fps": 30.0,
    }
    return RunInfo(**{**values, **changes})


def a_frame(index: int = 0, size: tuple[int, int] = (320, 240), **changes: Any) -> Frame:
    """A frame of width x height whose colours move with its index."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    image = np.stack([x + 3 * index, y, np.full_like(x, 90)], axis=2).astype(np.uint8)
    values: dict[str, Any] = {
        "image": image,
        "index": index,
        "captured_s": 100 + index / 30,
        "wall_s": 1_795_176_000 + index / 30,
        "source": "csi://0",
    }
    return Frame(**{**values, **changes})


def people_at(*centres: tuple[float, float], size_px: float = 150, track: int = -1) -> Poses:
    """One standing figure per centre of its hips, best first; ``track`` is the first one's id, or -1 for none."""
    n_people = len(centres)
    xy = (STANDING * size_px / 500 + np.array(centres, np.float32).reshape(-1, 1, 2)).astype(np.float32)
    return Poses(
        xy,
        np.full((n_people, len(COCO17)), 0.8, np.float32),
        np.linspace(0.9, 0.5, n_people, dtype=np.float32),
        boxes_around(xy),
        np.arange(track, track + n_people, dtype=np.int32) if track >= 0 else np.full(n_people, -1, np.int32),
        COCO17,
    )


@st.composite
def any_poses(draw: st.DrawFn) -> Poses:
    """Any valid Poses: no people or some, any skeleton, missing keypoints, points outside the frame, ids or none."""
    skeleton: Skeleton = draw(st.sampled_from(list(SKELETONS.values())))
    n_people, k_parts = draw(st.integers(0, 4)), len(skeleton)
    unit = st.floats(0, 1, width=32)
    pixel = st.floats(-1e5, 1e5, width=32)
    score = draw(arrays.arrays(np.float32, (n_people, k_parts), elements=unit))
    xy = draw(arrays.arrays(np.float32, (n_people, k_parts, 2), elements=pixel))
    xy[score == 0] = np.nan
    corner = draw(arrays.arrays(np.float32, (n_people, 2), elements=pixel))
    size = draw(arrays.arrays(np.float32, (n_people, 2), elements=st.floats(0, 1e5, width=32)))
    person = np.sort(draw(arrays.arrays(np.float32, n_people, elements=unit)))[::-1].copy()
    track = draw(arrays.arrays(np.int32, n_people, elements=st.integers(-1, 2**31 - 1)))
    return Poses(xy, score, person, np.concatenate([corner, corner + size], axis=1), track, skeleton)
