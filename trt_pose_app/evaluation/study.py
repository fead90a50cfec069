"""Several sets of results on the same photos: each measured, all compared with the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trt_pose_app.evaluation.bootstrap import draw_photos
from trt_pose_app.evaluation.comparison import compare
from trt_pose_app.evaluation.evaluation import Evaluation, evaluate
from trt_pose_app.evaluation.pck import PckProtocol
from trt_pose_app.evaluation.truth import Truth


@dataclass(frozen=True, slots=True)
class Run:
    """One set of results under its name; of a model also how it ran.

    ``weaker`` also has the people below the threshold ``min_person_score`` that the model was evaluated at;
    ``at_peaks`` are the results at other peak thresholds.
    """

    name: str
    results: Sequence[Mapping[str, Any]]
    weaker: Sequence[Mapping[str, Any]] | None = None
    at_peaks: Mapping[float, Sequence[Mapping[str, Any]]] | None = None
    latency_ms: Mapping[str, float] | None = None
    settings: Mapping[str, Any] | None = None


def study(
    truth: Truth, runs: Sequence[Run], *, protocol: PckProtocol, n_draws: int = 1000
) -> tuple[dict[str, Any], list[Evaluation]]:
    """Return everything measured, ready for JSON, and the evaluations behind it, one for each run."""
    draws = draw_photos(len(truth.photos), n_draws)
    evaluations = [
        evaluate(truth, run.results, protocol=protocol, draws=draws, weaker=run.weaker, at_peaks=run.at_peaks)
        for run in runs
    ]
    document = {
        "schema": "trt-pose/evaluation/1",
        "data": {
            "annotations": truth.path.name,
            "photos": len(truth.photos),
            "people": int(sum((~photo.ignored).sum() for photo in truth.photos)),
            "empty_photos": sum(photo.empty for photo in truth.photos),
            "skeleton": truth.skeleton.name,
            "parts": list(truth.skeleton.parts),
            "sigmas": "published" if truth.sigmas_known else "assumed, 1 / parts",
        },
        "pck": asdict(protocol),
        "draws": n_draws,
        "models": [
            {"name": run.name, "settings": run.settings, "latency_ms": run.latency_ms, **evaluation.metrics}
            for run, evaluation in zip(runs, evaluations)
        ],
        "comparisons": [
            {"first": runs[0].name, "second": run.name, **compare(truth, evaluations[0], evaluation, draws)}
            for run, evaluation in zip(runs[1:], evaluations[1:])
        ],
    }
    return document, evaluations
