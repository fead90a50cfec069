"""Is one model better than another? Differences with paired 95 % intervals over photos."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.bootstrap import drawn_ap, drawn_share, interval
from trt_pose_app.evaluation.evaluation import Evaluation, named_shares
from trt_pose_app.evaluation.truth import Truth


def compare(truth: Truth, first: Evaluation, second: Evaluation, draws: NDArray[np.intp]) -> dict[str, Any]:
    """Return what the second has more than the first, of AP and of each PCK, with its interval.

    An interval that holds 0 says that these photos do not tell which is better.
    """
    ap_of = [evaluation.metrics["coco"]["AP"] for evaluation in (first, second)]
    ap_draws = drawn_ap(second.matches, draws) - drawn_ap(first.matches, draws)
    return {
        "AP": {"difference": ap_of[1] - ap_of[0], "interval": interval(ap_draws)},
        "pck": {name: _share(first, second, parts, draws) for name, parts in named_shares(truth).items()},
    }


def _share(first: Evaluation, second: Evaluation, parts: list[int], draws: NDArray[np.intp]) -> dict[str, Any]:
    values, drawn = [], []
    for evaluation in (first, second):
        hits, counted = (a[:, parts].sum(axis=1) for a in (evaluation.pck.hits, evaluation.pck.counted))
        values.append(evaluation.pck.share(parts))
        drawn.append(drawn_share(hits, counted, draws))
    difference = None if values[0] is None or values[1] is None else values[1] - values[0]
    return {"difference": difference, "interval": interval(drawn[1] - drawn[0])}
