"""COCO's ten rows of keypoint AP and AR, by pycocotools itself."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trt_pose_app.errors import DependencyError
from trt_pose_app.evaluation.average_precision import Matches
from trt_pose_app.evaluation.truth import Truth

ROWS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


@dataclass(frozen=True, slots=True, eq=False)
class CocoScores:
    """``rows``: the ten numbers by name, None where nobody is of that size. ``matches`` are those behind AP."""

    rows: dict[str, float | None]
    matches: Matches


def check_pycocotools() -> None:
    """Raise DependencyError without pycocotools."""
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "COCO AP needs pycocotools", hint="pip install 'trt-pose-app[eval]', or pip install pycocotools"
        ) from error


def coco_scores(truth: Truth, results: Sequence[Mapping[str, Any]]) -> CocoScores:
    """Evaluate COCO keypoint results. Raises DependencyError without pycocotools."""
    check_pycocotools()
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        annotated, found = COCO(), COCO()
        annotated.dataset = truth.to_coco()
        annotated.createIndex()
        if results:
            found = annotated.loadRes([dict(result) for result in results])
        else:  # loadRes cannot take an empty list
            found.dataset = {**annotated.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(annotated, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = truth.sigmas
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    rows = {name: float(value) if value >= 0 else None for name, value in zip(ROWS, evaluation.stats)}
    return CocoScores(rows, _matches(evaluation, truth))


def _matches(evaluation: Any, truth: Truth) -> Matches:
    n_photos = len(truth.photos)
    # evalImgs runs over areas, then photos, in the order of their ids; "all" is the first area.
    by_photo = evaluation.evalImgs[:n_photos]
    n_thresholds = len(evaluation.params.iouThrs)
    hit, ignored = [np.zeros((n_thresholds, 0))], [np.zeros((n_thresholds, 0))]
    score, photo = [np.zeros(0)], [np.zeros(0, np.intp)]
    n_people = np.zeros(n_photos, np.intp)
    for index, record in enumerate(by_photo):
        if record is None:
            continue
        hit.append(record["dtMatches"])
        ignored.append(record["dtIgnore"])
        score.append(np.asarray(record["dtScores"], np.float64))
        photo.append(np.full(len(record["dtScores"]), index, np.intp))
        n_people[index] = np.count_nonzero(record["gtIgnore"] == 0)
    scores = np.concatenate(score)
    order = np.argsort(-scores, kind="mergesort")  # pycocotools' own, which decides among equals
    return Matches(
        hit=np.concatenate(hit, axis=1)[:, order] > 0,
        ignored=np.concatenate(ignored, axis=1)[:, order] > 0,
        score=scores[order],
        photo=np.concatenate(photo)[order],
        n_people=n_people,
    )
