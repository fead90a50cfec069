"""One model's results, measured in every way there is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.evaluation.average_precision import Matches, average_precision, average_recall
from trt_pose_app.evaluation.bootstrap import drawn_ap, drawn_share, interval
from trt_pose_app.evaluation.coco_ap import coco_scores
from trt_pose_app.evaluation.error_kinds import KINDS, ErrorCounts, count_errors
from trt_pose_app.evaluation.joint_groups import joint_groups, limb_joints
from trt_pose_app.evaluation.pck import PckCounts, PckProtocol, count_pck
from trt_pose_app.evaluation.results import FoundPeople, at_least, people_by_photo
from trt_pose_app.evaluation.truth import Truth

SWEEP = tuple(round(0.05 * step, 2) for step in range(20))


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything measured of one set of results. ``metrics`` is ready for JSON; the arrays serve comparisons."""

    metrics: dict[str, Any]
    matches: Matches
    pck: PckCounts
    found: list[FoundPeople]


def evaluate(
    truth: Truth,
    results: Sequence[Mapping[str, Any]],
    *,
    protocol: PckProtocol,
    draws: NDArray[np.intp],
    weaker: Sequence[Mapping[str, Any]] | None = None,
    at_peaks: Mapping[float, Sequence[Mapping[str, Any]]] | None = None,
) -> Evaluation:
    """Measure COCO results. ``draws`` as from ``draw_photos``, none for no intervals.

    ``weaker`` are the results with everybody below the deployed threshold as well: the threshold sweep starts there.
    ``at_peaks`` are the results at other peak thresholds.
    """
    scores = coco_scores(truth, results)
    found = people_by_photo(results, truth)
    pck = count_pck(truth, found, protocol)
    swept = scores.matches if weaker is None else coco_scores(truth, weaker).matches
    metrics = {
        "coco": scores.rows,
        "ap_interval": interval(drawn_ap(scores.matches, draws)),
        "pck": _pck_metrics(truth, pck, draws),
        "false_people": false_people(truth, found),
        "errors": _error_metrics(truth, count_errors(truth, found)),
        "sweep": sweep(truth, results if weaker is None else weaker, swept, protocol),
        "peak_sweep": peak_sweep(truth, at_peaks or {}, protocol),
    }
    return Evaluation(metrics, scores.matches, pck, found)


def false_people(truth: Truth, found: Sequence[FoundPeople]) -> int:
    """Return how many people were found on the photos that show nobody."""
    return sum(len(people.score) for photo, people in zip(truth.photos, found) if photo.empty)


def sweep(
    truth: Truth, results: Sequence[Mapping[str, Any]], matches: Matches, protocol: PckProtocol
) -> list[dict[str, Any]]:
    """Return AP, AR, PCK and false people at each least score of a person, from the weakest result upwards."""
    weakest = min((float(result["score"]) for result in results), default=0.0)
    rows = []
    for threshold in (t for t in SWEEP if t + 0.05 > weakest):
        kept = matches.above(float(np.float32(threshold)))
        found = people_by_photo(at_least(results, threshold), truth)
        rows.append({"min_person_score": threshold, **_sweep_row(truth, kept, found, protocol)})
    return rows


def peak_sweep(
    truth: Truth, results: Mapping[float, Sequence[Mapping[str, Any]]], protocol: PckProtocol
) -> list[dict[str, Any]]:
    """Return the same figures for the results at each peak threshold."""
    return [
        {
            "peak_threshold": threshold,
            **_sweep_row(truth, coco_scores(truth, made).matches, people_by_photo(made, truth), protocol),
        }
        for threshold, made in sorted(results.items())
    ]


def _sweep_row(
    truth: Truth, matches: Matches, found: Sequence[FoundPeople], protocol: PckProtocol
) -> dict[str, float | int | None]:
    return {
        "AP": float(average_precision(matches).mean()),
        "AR": float(average_recall(matches).mean()),
        "pck": count_pck(truth, found, protocol).share(),
        "false_people": false_people(truth, found),
        "people": sum(len(people.score) for people in found),
    }


def named_shares(truth: Truth) -> dict[str, list[int]]:
    """Return the sets of parts that PCK is given for: all, those outside the face, and each joint."""
    sets = {"all": list(range(len(truth.skeleton)))}
    if (limbs := limb_joints(truth.skeleton)) is not None:
        sets["limb joints"] = limbs
    return sets | joint_groups(truth.skeleton)


def _pck_metrics(truth: Truth, pck: PckCounts, draws: NDArray[np.intp]) -> dict[str, Any]:
    def share(parts: list[int]) -> dict[str, Any]:
        hits, counted = pck.hits[:, parts].sum(axis=1), pck.counted[:, parts].sum(axis=1)
        return {
            "pck": pck.share(parts),
            "interval": interval(drawn_share(hits, counted, draws)),
            "keypoints": int(counted.sum()),
        }

    return {"people": pck.n_people, **{name: share(parts) for name, parts in named_shares(truth).items()}}


def _error_metrics(truth: Truth, errors: ErrorCounts) -> dict[str, Any]:
    def shares(parts: list[int]) -> dict[str, Any]:
        counts = errors.counts[parts].sum(axis=0)
        total = int(counts.sum())
        kinds = {kind: count / total if total else None for kind, count in zip(KINDS, counts.tolist())}
        return {**kinds, "keypoints": total}

    return {
        "people": errors.people,
        "found": errors.found,
        "joints": {name: shares(parts) for name, parts in named_shares(truth).items()},
    }
