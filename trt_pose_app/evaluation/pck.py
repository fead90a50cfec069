"""PCK: the share of annotated keypoints found within a fraction of the person's torso."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.oks import assign, keypoint_similarity, mean_similarity
from trt_pose_app.evaluation.results import FoundPeople
from trt_pose_app.evaluation.truth import Truth, TruthPhoto
from trt_pose_app.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class PckProtocol:
    """What counts: within ``fraction`` of the torso, on keypoints of at least ``least_visibility``.

    ``main_only``: of each photo only the person annotated by hand, the largest of several; otherwise everybody.
    """

    fraction: float = 0.2
    main_only: bool = False
    least_visibility: int = 1

    @classmethod
    def fitting(cls, truth: Truth) -> PckProtocol:
        """Return the protocol the data asks for: where notes name their source, sure keypoints of the main person."""
        return cls(main_only=True, least_visibility=2) if truth.has_sources else cls()


@dataclass(frozen=True, slots=True, eq=False)
class PckCounts:
    """``hits`` and ``counted`` (P photos, K parts) keypoints; ``n_people`` with a known torso."""

    hits: NDArray[np.intp]
    counted: NDArray[np.intp]
    n_people: int

    def share(self, parts: Sequence[int] | None = None) -> float | None:
        """Return PCK over ``parts``, by default all; None where nothing counts."""
        chosen = slice(None) if parts is None else list(parts)
        total = int(self.counted[:, chosen].sum())
        return int(self.hits[:, chosen].sum()) / total if total else None


def count_pck(truth: Truth, found: Sequence[FoundPeople], protocol: PckProtocol) -> PckCounts:
    """Return which keypoints were hit.

    A person's keypoints are sought on one found person only: people are paired one to one by OKS over the counted
    keypoints, the most similar first. People without a known torso are left out, those not found count as missed.
    """
    shape = len(truth.photos), len(truth.skeleton)
    hits, counted = np.zeros(shape, np.intp), np.zeros(shape, np.intp)
    n_people = 0
    for index, (photo, people) in enumerate(zip(truth.photos, found)):
        chosen = [i for i in _chosen(photo, protocol) if (photo.visible[i] >= protocol.least_visibility).any()]
        sizes = [torso_px(photo.xy[i], photo.visible[i] > 0, photo.box[i], truth.skeleton) for i in chosen]
        chosen = [i for i, size in zip(chosen, sizes) if size is not None]
        limits = [protocol.fraction * size for size in sizes if size is not None]
        n_people += len(chosen)
        valid = photo.visible[chosen] >= protocol.least_visibility
        counted[index] = valid.sum(axis=0)
        similarity = keypoint_similarity(people.xy, photo.xy[chosen], photo.area[chosen], truth.sigmas)
        for i, j in assign(mean_similarity(similarity, valid)):
            distance = np.linalg.norm(people.xy[i] - photo.xy[chosen[j]], axis=1)
            hits[index] += (np.nan_to_num(distance, nan=np.inf) <= limits[j]) & valid[j]
    return PckCounts(hits, counted, n_people)


def _chosen(photo: TruthPhoto, protocol: PckProtocol) -> list[int]:
    if not protocol.main_only:
        return [int(i) for i in np.flatnonzero(~photo.ignored)]
    mains = [int(i) for i in np.flatnonzero(photo.main)]
    if not mains:
        return []
    sides = photo.box[:, 2:] - photo.box[:, :2]
    largest = max(mains, key=lambda i: float(sides[i].prod()))
    return [] if photo.ignored[largest] else [largest]


def torso_px(
    xy: NDArray[np.float64], known: NDArray[np.bool_], box: NDArray[np.float64], skeleton: Skeleton
) -> float | None:
    """Return the size that errors of a person are measured by, or None where it is unknown.

    Left shoulder to right hip, or the other diagonal; for a skeleton without such parts (hands, animals) half the
    longer side of its box.
    """
    index = {part: i for i, part in enumerate(skeleton.parts)}
    diagonals = [(f"{a}_shoulder", f"{b}_hip") for a, b in (("left", "right"), ("right", "left"))]
    diagonals = [pair for pair in diagonals if set(pair) <= index.keys()]
    if not diagonals:
        return float((box[2:] - box[:2]).max() / 2)
    for shoulder, hip in diagonals:
        a, b = index[shoulder], index[hip]
        if known[a] and known[b]:
            return float(np.linalg.norm(xy[a] - xy[b]))
    return None
