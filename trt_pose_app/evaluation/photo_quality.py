"""How well each photo was read, to show the worst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.error_kinds import SAME_PERSON
from trt_pose_app.evaluation.oks import assign, keypoint_similarity, mean_similarity
from trt_pose_app.evaluation.results import FoundPeople
from trt_pose_app.evaluation.truth import Truth


def photo_quality(truth: Truth, found: Sequence[FoundPeople]) -> NDArray[np.float64]:
    """Return the sum of OKS over the number of people, annotated or invented, of each photo: (P,) in [0, 1].

    1 where nobody is and nobody was found. On a photo with a crowd nobody counts as invented.
    """
    quality = np.ones(len(truth.photos))
    for index, (photo, people) in enumerate(zip(truth.photos, found)):
        who = np.flatnonzero(~photo.ignored)
        similarity = keypoint_similarity(people.xy, photo.xy[who], photo.area[who], truth.sigmas)
        oks = mean_similarity(similarity, photo.visible[who] > 0)
        pairs = assign(oks, least=SAME_PERSON)
        invented = 0 if photo.ignored.any() else len(people.xy) - len(pairs)
        if len(who) + invented:
            quality[index] = sum(float(oks[pair]) for pair in pairs) / (len(who) + invented)
    return quality
