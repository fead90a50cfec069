"""From keypoints in boxes to ``Poses``: person scores, thresholds, and suppression of people found twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.overlap import UNKNOWN_SIGMA, oks, suppress
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Poses


@dataclass(frozen=True, slots=True)
class PeopleParams:
    """Who counts as a person.

    A keypoint below ``peak_threshold`` is missing. A person has at least ``min_keypoints`` of those left and a score
    of at least ``min_person_score``; of two whose object keypoint similarity is above ``pose_nms`` the better one
    stays; at most ``max_people`` do.
    """

    peak_threshold: float = 0.05
    min_keypoints: int = 3
    min_person_score: float = 0.1
    pose_nms: float = 0.7
    max_people: int = 100


def people_in_boxes(
    xy: NDArray[np.float32],
    score: NDArray[np.float32],
    boxes: NDArray[np.float32],
    box_score: NDArray[np.float32],
    skeleton: Skeleton,
    peak_threshold: float,
) -> Poses:
    """Return everybody, best first: keypoints (N, K, 2) in frame pixels with scores (N, K), boxes (N, 4) and scores.

    A person's score is the box's times the mean of its keypoints', so that a sure box around no person counts little.
    """
    seen = score >= max(peak_threshold, np.finfo(np.float32).tiny)
    score = np.where(seen, score, np.float32(0))
    xy = np.where(seen[..., None], xy, np.float32(np.nan))
    person = np.clip(box_score, 0, 1) * score.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    order = np.argsort(-person, kind="stable")
    track = np.full(len(order), -1, np.int32)
    return Poses.trusted(xy[order], score[order], person[order].astype(np.float32), boxes[order], track, skeleton)


def select_people(poses: Poses, params: PeopleParams) -> Poses:
    """Return those of ``poses`` that count as a person, each once."""
    enough = ((poses.score > 0).sum(axis=1) >= params.min_keypoints) & (poses.person >= params.min_person_score)
    (left,) = np.nonzero(enough)
    xy, boxes = poses.xy[left], poses.box[left]
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    sigmas = np.asarray(poses.skeleton.sigmas or (UNKNOWN_SIGMA,) * len(poses.skeleton), np.float32)

    def overlap(best: int, others: NDArray[np.intp]) -> NDArray[np.float32]:
        return oks(xy[best], xy[others], (areas[best] + areas[others]) / 2, sigmas)

    kept = left[suppress(len(left), overlap, params.pose_nms, params.max_people)]
    if len(kept) == len(poses):
        return poses
    return Poses.trusted(
        poses.xy[kept], poses.score[kept], poses.person[kept], poses.box[kept], poses.track[kept], poses.skeleton
    )
