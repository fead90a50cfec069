"""Keypoint similarity: pycocotools' own numbers, and who is taken for whom."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.scenes import figure, random_scene, truth_of
from trt_pose_app.evaluation.oks import assign, keypoint_similarity, mean_similarity
from trt_pose_app.evaluation.results import people_by_photo
from trt_pose_app.skeleton import COCO17

SIGMAS = np.array(COCO17.sigmas)


def test_a_point_off_by_two_sigma_of_the_size_has_similarity_exp_of_minus_a_half() -> None:
    truth = figure()[None]
    found = truth + np.stack([2 * SIGMAS * 100, np.zeros(17)], axis=1)
    similarity = keypoint_similarity(found, truth, np.array([100.0**2]), SIGMAS)
    np.testing.assert_allclose(similarity, np.exp(-0.5))


def test_a_missing_point_has_similarity_0() -> None:
    found = figure()[None].copy()
    found[0, 3] = np.nan
    similarity = keypoint_similarity(found, figure()[None], np.array([100.0**2]), SIGMAS)
    assert similarity[0, 0].tolist() == [1.0] * 3 + [0.0] + [1.0] * 13


@pytest.mark.parametrize("seed", range(3))
def test_oks_is_that_of_pycocotools(tmp_path: Path, seed: int) -> None:
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    image_ids, notes, results = random_scene(seed)
    # A missing point lies at 0, 0 for pycocotools and nowhere for us: far from everybody both are 0.
    truth = truth_of(tmp_path, image_ids, notes)
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = coco.COCO()
        annotated.dataset = truth.to_coco()
        annotated.createIndex()
        theirs = cocoeval.COCOeval(annotated, annotated.loadRes(results), "keypoints")
        theirs.evaluate()
    compared = 0
    for photo, people in zip(truth.photos, people_by_photo(results, truth)):
        mine = mean_similarity(keypoint_similarity(people.xy, photo.xy, photo.area, truth.sigmas), photo.visible > 0)
        expected = theirs.ious[photo.id, 1]
        labelled = (photo.visible > 0).any(axis=1)
        if len(expected):
            np.testing.assert_allclose(mine[:, labelled], np.asarray(expected)[:, labelled], atol=1e-9)
            compared += int(labelled.sum())
    assert compared > 20


@pytest.mark.parametrize(
    ("oks", "least", "pairs"),
    [
        ([[0.9, 0.2], [0.8, 0.7]], 0.0, [(0, 0), (1, 1)]),  # the best pair first, then the best of the rest
        ([[0.9], [0.8]], 0.0, [(0, 0)]),  # nobody is found twice
        ([[0.4, 0.05]], 0.1, [(0, 0)]),
        ([[0.05]], 0.1, []),  # too far apart to be the same person
        (np.zeros((0, 3)), 0.0, []),
        (np.zeros((2, 0)), 0.0, []),
    ],
)
def test_people_are_paired_one_to_one(oks: list[list[float]], least: float, pairs: list[tuple[int, int]]) -> None:
    assert assign(np.array(oks), least) == pairs
