"""AP out of ready matches equals pycocotools' own, whatever is resampled or left out."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.scenes import Note, Result, document, figure, note, random_scene, result, truth_of
from trt_pose_app.errors import DependencyError
from trt_pose_app.evaluation.average_precision import average_precision, average_recall
from trt_pose_app.evaluation.coco_ap import ROWS, coco_scores

pytest.importorskip("pycocotools")


def official(folder: Path, image_ids: list[int], notes: list[Note], results: list[Result]) -> dict[str, float]:
    """What a plain pycocotools program prints about these files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    content = document(image_ids, notes)
    for number, annotation in enumerate(content["annotations"], 1):
        annotation["id"] = number
        annotation["num_keypoints"] = int((np.array(annotation["keypoints"][2::3]) > 0).sum())
    truth, found = folder / "official.json", folder / "results.json"
    truth.write_text(json.dumps(content))
    found.write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO(str(truth))
        evaluation = COCOeval(annotated, annotated.loadRes(str(found)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(ROWS, evaluation.stats.tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_the_ten_rows_are_those_of_pycocotools(tmp_path: Path, seed: int) -> None:
    image_ids, notes, results = random_scene(seed)
    mine = coco_scores(truth_of(tmp_path, image_ids, notes), results)
    expected = official(tmp_path, image_ids, notes, results)
    assert mine.rows == pytest.approx(expected, abs=1e-12)
    assert average_precision(mine.matches).mean() == pytest.approx(expected["AP"], abs=1e-12)
    assert average_recall(mine.matches).mean() == pytest.approx(expected["AR"], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_photo_of_weight_3_counts_as_three_photos(tmp_path: Path, seed: int) -> None:
    image_ids, notes, results = random_scene(seed)
    results = [{**r, "score": r["score"] + 1e-6 * i} for i, r in enumerate(results)]  # equal scores: order is luck
    weights = np.random.default_rng(seed).integers(0, 4, len(image_ids))
    copies = {i: [i + 100_000 * c for c in range(w)] for i, w in zip(image_ids, weights.tolist())}
    repeated = official(
        tmp_path,
        [copy for i in image_ids for copy in copies[i]],
        [{**n, "image_id": copy} for n in notes for copy in copies[n["image_id"]]],
        [{**r, "image_id": copy} for r in results for copy in copies[r["image_id"]]],
    )
    matches = coco_scores(truth_of(tmp_path, image_ids, notes), results).matches
    assert average_precision(matches, weights).mean() == pytest.approx(repeated["AP"], abs=1e-9)
    assert average_recall(matches, weights).mean() == pytest.approx(repeated["AR"], abs=1e-9)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.1])
def test_leaving_out_the_weak_needs_no_new_matching(tmp_path: Path, threshold: float) -> None:
    image_ids, notes, results = random_scene(5)
    truth = truth_of(tmp_path, image_ids, notes)
    again = coco_scores(truth, [r for r in results if r["score"] >= threshold])
    kept = coco_scores(truth, results).matches.above(threshold)
    assert average_precision(kept).mean() == pytest.approx(again.rows["AP"], abs=1e-12)


def test_perfect_results_have_ap_1_though_annotation_ids_start_at_0(tmp_path: Path) -> None:
    notes = [note(1, figure()), note(2, figure(300))]
    rows = coco_scores(truth_of(tmp_path, [1, 2], notes), [result(1, figure()), result(2, figure(300))]).rows
    assert rows["AP"] == pytest.approx(1)
    assert rows["AR"] == pytest.approx(1)
    assert rows["APL"] is None  # nobody is large


def test_no_results_at_all_have_ap_0(tmp_path: Path) -> None:
    scores = coco_scores(truth_of(tmp_path, [1], [note(1, figure())]), [])
    assert scores.rows["AP"] == 0
    assert average_precision(scores.matches).tolist() == [0] * 10


def test_without_anybody_to_find_there_is_no_ap(tmp_path: Path) -> None:
    matches = coco_scores(truth_of(tmp_path, [1, 2], [note(1, figure())]), [result(1, figure())]).matches
    assert np.isnan(average_precision(matches, np.array([0, 2]))).all()


def test_without_pycocotools_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = truth_of(tmp_path, [1], [note(1, figure())])
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.cocoeval", None)
    with pytest.raises(DependencyError, match=r"trt-pose-app\[eval\]"):
        coco_scores(truth, [])
