"""What kind of mistake each found keypoint is.

After Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation" (ICCV 2017). With KS the
similarity of one keypoint (``oks.keypoint_similarity``), a point of a found person is

good       KS to its own annotated point is at least 0.85
jitter     at least 0.5
inversion  below 0.5, and at least 0.5 to the mirrored part of the same person
swap       below 0.5, and at least 0.5 to the same or the mirrored part of another person
miss       below 0.5 to all of these
absent     no point was given (bottom-up networks leave points out; the paper's methods never do)

Where inversion and swap both fit, the more similar one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.oks import assign, keypoint_similarity, mean_similarity
from trt_pose_app.evaluation.results import FoundPeople
from trt_pose_app.evaluation.truth import Truth, TruthPhoto

KINDS = ("good", "jitter", "inversion", "swap", "miss", "absent")
GOOD, NEAR = 0.85, 0.5
SAME_PERSON = 0.1  # least OKS at which a found person is taken for an annotated one, as in the paper


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCounts:
    """``counts`` (K, 6) labelled keypoints of found people by part and kind; people found, and people to find."""

    counts: NDArray[np.intp]
    found: int
    people: int


def count_errors(truth: Truth, found: Sequence[FoundPeople]) -> ErrorCounts:
    """Return how often each kind of error happens to each part."""
    counts = np.zeros((len(truth.skeleton), len(KINDS)), np.intp)
    flip = np.array(truth.skeleton.flip)
    n_found = n_people = 0
    for photo, people in zip(truth.photos, found):
        who = np.flatnonzero(~photo.ignored)
        n_people += len(who)
        labelled = photo.visible[who] > 0
        similarity = keypoint_similarity(people.xy, photo.xy[who], photo.area[who], truth.sigmas)
        for i, j in assign(mean_similarity(similarity, labelled), least=SAME_PERSON):
            kinds = kinds_of(people.xy[i], photo, int(who[j]), truth.sigmas, flip)
            np.add.at(counts, (np.flatnonzero(labelled[j]), kinds[labelled[j]]), 1)
            n_found += 1
    return ErrorCounts(counts, n_found, n_people)


def kinds_of(
    xy: NDArray[np.float64],
    photo: TruthPhoto,
    person: int,
    sigmas: NDArray[np.float64],
    flip: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Return for each point of ``xy`` (K, 2), found for ``person`` of ``photo``, its index in ``KINDS``: (K,)."""
    n_people = len(photo.xy)
    # Similarity in units of this person's size, also to the points of others.
    area = np.full(n_people, photo.area[person])
    labelled = photo.visible > 0
    same = keypoint_similarity(xy[None], photo.xy, area, sigmas)[0] * labelled
    mirrored = keypoint_similarity(xy[None], photo.xy[:, flip], area, sigmas)[0] * labelled[:, flip]
    mirrored[:, flip == np.arange(len(flip))] = 0
    others = np.arange(n_people) != person
    own, inversion = same[person], mirrored[person]
    swap = np.maximum(same, mirrored)[others].max(axis=0, initial=0)
    kind = np.where(inversion >= swap, KINDS.index("inversion"), KINDS.index("swap"))
    kind[np.maximum(inversion, swap) < NEAR] = KINDS.index("miss")
    kind[own >= NEAR] = KINDS.index("jitter")
    kind[own >= GOOD] = KINDS.index("good")
    kind[np.isnan(xy).any(axis=1)] = KINDS.index("absent")
    return kind
