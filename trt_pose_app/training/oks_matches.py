"""Found people against a photo's annotated ones, for average precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.average_precision import Matches
from trt_pose_app.evaluation.oks import keypoint_similarity, mean_similarity
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.training.photo import Photo
from trt_pose_app.types import Poses

THRESHOLDS = np.arange(0.5, 0.96, 0.05)  # COCO's, of the OKS
_UNMEASURED_SIGMA = 0.07  # where a skeleton has none: near the mean of COCO's body parts
_BODY_SHARE = 0.5  # of the box that a person covers: annotations for keypoints need not tell the area


def oks_matches(photos: Sequence[Photo], found: Sequence[Poses], skeleton: Skeleton) -> Matches:
    """Return whom the people found on each photo match, greedily by score as COCO does.

    All parts of the skeleton count, and any labelled keypoint. Found people mostly inside an ignored box are neither
    right nor wrong. ``found`` are in the photos' pixels.
    """
    sigmas = np.array(skeleton.sigmas or [_UNMEASURED_SIGMA] * len(skeleton))
    hits = [_hits(photo, poses, sigmas) for photo, poses in zip(photos, found)]
    ignored = [_in_ignored_box(photo, poses) for photo, poses in zip(photos, found)]
    score = np.concatenate([poses.person for poses in found]).astype(np.float64)
    order = np.argsort(-score, kind="stable")
    hit = np.concatenate(hits, axis=1)[:, order]
    return Matches(
        hit,
        ~hit & np.concatenate(ignored)[order],
        score[order],
        np.repeat(np.arange(len(photos)), [len(poses) for poses in found])[order],
        np.array([len(photo.xy) for photo in photos], np.intp),
    )


def _hits(photo: Photo, poses: Poses, sigmas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (T, N): at each threshold, whether each found person has an annotated one for itself."""
    hit = np.zeros((len(THRESHOLDS), len(poses)), np.bool_)
    if not len(poses) or not len(photo.xy):
        return hit
    area = np.prod(photo.box[:, 2:] - photo.box[:, :2], axis=1).astype(np.float64) * _BODY_SHARE
    similarity = keypoint_similarity(poses.xy.astype(np.float64), photo.xy.astype(np.float64), area, sigmas)
    oks = mean_similarity(similarity, photo.visible > 0)
    for row, threshold in zip(hit, THRESHOLDS):
        free = oks.copy()
        for person in range(len(poses)):
            best = int(free[person].argmax())
            if free[person, best] >= threshold:
                row[person] = True
                free[:, best] = -1
    return hit


def _in_ignored_box(photo: Photo, poses: Poses) -> NDArray[np.bool_]:
    """Return for each found person whether more than half of its keypoints lie in one ignored box: (N,)."""
    inside = (poses.xy[:, None] >= photo.ignore[:, None, :2]) & (poses.xy[:, None] <= photo.ignore[:, None, 2:])
    count = inside.all(axis=3).sum(axis=2).max(axis=1, initial=0)
    mostly: NDArray[np.bool_] = count > 0.5 * (poses.score > 0).sum(axis=1)
    return mostly
