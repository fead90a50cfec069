"""From a person's keypoints to MediaPipe's 33 landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.compat.mediapipe.framework.formats.landmark_pb2 import NormalizedLandmark, NormalizedLandmarkList
from trt_pose_app.compat.mediapipe.landmark_table import (
    MOUTH,
    MOUTH_TOWARDS_SHOULDER,
    STAND_INS,
    parts_of_landmarks,
)
from trt_pose_app.compat.mediapipe.pose_landmark import PoseLandmark
from trt_pose_app.geometry import Size
from trt_pose_app.types import Poses

Point = tuple[float, float]


def landmarks_of(poses: Poses, i: int, frame_size: Size) -> NormalizedLandmarkList:
    """Return person ``i`` as MediaPipe has people: x and y over the frame's width and height, edges at 0 and 1.

    ``visibility`` is the keypoint's score. A landmark that the model does not know, or did not see, has visibility 0
    and the place of the nearest one it did; z is always 0.
    """
    parts = parts_of_landmarks(poses.skeleton)
    visibility = np.where(parts >= 0, poses.score[i][parts], np.float32(0))
    places = _places(poses.xy[i][parts], visibility > 0, poses.box[i])
    # Pixel centres at integers become pixel edges at integers, so that int(x * width) is the pixel.
    xy = ((places + 0.5) / np.array(frame_size)).astype(np.float32).tolist()
    result = NormalizedLandmarkList()
    list.extend(
        result.landmark,
        (NormalizedLandmark.trusted(x=x, y=y, z=0.0, visibility=v) for (x, y), v in zip(xy, visibility.tolist())),
    )
    return result


def _places(xy: NDArray[np.float32], known: NDArray[np.bool_], box: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a place in the frame for each of the 33 landmarks, given those of the known ones."""
    places: list[Point | None] = [(x, y) if k else None for (x, y), k in zip(xy.tolist(), known.tolist())]
    for landmark, nearest in STAND_INS:
        if places[landmark] is None:
            places[landmark] = places[nearest]
    nose = places[PoseLandmark.NOSE]
    for landmark, shoulder in MOUTH:
        if places[landmark] is None and nose is not None:
            x, y = places[shoulder] or nose
            step = MOUTH_TOWARDS_SHOULDER
            places[landmark] = (nose[0] + step * (x - nose[0]), nose[1] + step * (y - nose[1]))
    x0, y0, x1, y1 = box.tolist()
    return np.array([place or ((x0 + x1) / 2, (y0 + y1) / 2) for place in places])
