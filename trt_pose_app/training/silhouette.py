"""The rough silhouette of a person, drawn around its keypoints, for cutting it out of its photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.skeleton import Skeleton

_TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
# Of the torso's length, from shoulders to hips, that photos of clothed people fit.
_LIMB_RADIUS, _TORSO_MARGIN, _HEAD_RADIUS = 0.2, 0.15, 0.36
_OTHER_RADIUS = 0.05  # of the keypoints' extent, for what has no torso: hands, animals, machines
_FEATHER = 0.25  # standard deviation of the soft edge, of the limbs' radius


def can_be_cut_out(visible: NDArray[np.uint8], skeleton: Skeleton) -> bool:
    """Return whether enough keypoints (K,) are known: all but the face's, of which one is enough."""
    face = np.isin(skeleton.parts, _FACE)
    return bool((visible[~face] > 0).all() and (not face.any() or (visible[face] > 0).any()))


def silhouette(
    xy: NDArray[np.float32], visible: NDArray[np.uint8], skeleton: Skeleton, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return how far each pixel of a picture of ``size`` (width, height) belongs to a person, (H, W) in 0..1.

    The union of the torso's hull, a disc for the head and a capsule for every limb, with a soft edge. Of another
    thing than a person it is the capsules. ``xy`` (K, 2) pixels of the picture, for which ``can_be_cut_out`` holds.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    point = dict(zip(skeleton.parts, xy.astype(np.float64)))
    known = {part for part, v in zip(skeleton.parts, visible) if v > 0}
    has_torso = set(_TORSO) <= known
    if has_torso:
        hull = np.array([point[part] for part in _TORSO])
        shoulders, hips = hull[:2].mean(axis=0), hull[2:].mean(axis=0)
        # Seen from above or bent forwards a torso looks short; the shoulders' width then tells more.
        length = max(np.linalg.norm(shoulders - hips), np.linalg.norm(hull[0] - hull[1]))
        radius = _LIMB_RADIUS * length
        ring = cv2.convexHull(_pixels(hull))
        cv2.fillPoly(mask, [ring], 1)
        cv2.polylines(mask, [ring], True, 1, _thickness(_TORSO_MARGIN * length), cv2.LINE_8)
        face = [point[part] for part in _FACE if part in known]
        if face:
            centre = _pixels(np.mean(face, axis=0)[None])[0]
            cv2.circle(mask, centre.tolist(), round(_HEAD_RADIUS * length), 1, -1)
    else:
        seen = xy[visible > 0]
        radius = _OTHER_RADIUS * float(np.linalg.norm(seen.max(axis=0) - seen.min(axis=0)))
    for a, b in skeleton.limbs:
        ends = skeleton.parts[a], skeleton.parts[b]
        if not set(ends) <= known or (has_torso and set(ends) & set(_FACE[1:])):
            continue
        start, end = _pixels(np.array([point[part] for part in ends])).tolist()
        cv2.line(mask, start, end, 1, _thickness(radius), cv2.LINE_8)
    soft: NDArray[np.float32] = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(_FEATHER * radius, 0.3))
    return soft


def _pixels(xy: NDArray[np.float64]) -> NDArray[np.int32]:
    pixels: NDArray[np.int32] = np.clip(xy, -8192, 8191).round().astype(np.int32)
    return pixels


def _thickness(radius: float) -> int:
    return max(1, round(2 * radius))
