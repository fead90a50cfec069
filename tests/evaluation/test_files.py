"""Annotation files, results files and photos: what is read, and what is refused with a hint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.scenes import document, figure, note, random_scene, result, truth_of
from trt_pose_app.errors import ConfigError
from trt_pose_app.evaluation.photo_files import photo_paths
from trt_pose_app.evaluation.results import people_by_photo, read_results
from trt_pose_app.evaluation.truth import read_truth
from trt_pose_app.skeleton import COCO17

GOOD = document([1], [note(1, figure())])


def changed(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def person(**changes: Any) -> list[dict[str, Any]]:
    return [{**GOOD["annotations"][0], **changes}]


HAND = {"id": 2, "name": "hand", "keypoints": ["palm", "thumb"], "skeleton": [[1, 2]]}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([], "no COCO keypoint annotation file"),
        ({"images": []}, 'has no "annotations"'),
        (changed(images=[]), "lists no images"),
        (changed(images=GOOD["images"] * 2), "same id"),
        (changed(annotations=[]), "labels no keypoint of any person"),
        (changed(annotations=person(keypoints=[0] * 51)), "labels no keypoint of any person"),
        (changed(annotations=person(keypoints=[1, 2])), "has 2 keypoint numbers"),
        (changed(annotations=person(category_id=9)), "labels no keypoint"),
        (changed(categories=[{"id": 1, "name": "person"}]), "no category .* has keypoints"),
        (changed(categories=[*GOOD["categories"], HAND]), "several categories .*--category person or hand"),
    ],
)
def test_annotations_that_cannot_be_used_are_refused(tmp_path: Path, content: Any, complaint: str) -> None:
    (tmp_path / "truth.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=complaint):
        read_truth(tmp_path / "truth.json")


def test_an_unknown_category_is_refused_and_a_known_one_taken(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    hand_note = {**person()[0], "id": 5, "category_id": 2, "keypoints": [5, 5, 2, 9, 9, 2]}
    path.write_text(json.dumps(changed(categories=[*GOOD["categories"], HAND], annotations=[*person(), hand_note])))
    with pytest.raises(ConfigError, match="'dog'"):
        read_truth(path, category="dog")
    hands = read_truth(path, category="hand")
    assert hands.skeleton.parts == ("palm", "thumb")
    assert not hands.sigmas_known
    assert hands.sigmas.tolist() == [0.5, 0.5]


def test_a_truth_keeps_what_pycocotools_needs(tmp_path: Path) -> None:
    image_ids, notes, _ = random_scene(2)
    truth = truth_of(tmp_path, image_ids, notes)
    coco = truth.to_coco()
    assert truth.skeleton is COCO17
    assert [image["id"] for image in coco["images"]] == image_ids
    assert len(coco["annotations"]) == len(notes)
    assert min(annotation["id"] for annotation in coco["annotations"]) == 1


def test_limit_keeps_the_first_photos(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [4, 2, 9], [note(4, figure()), note(9, figure())], limit=2)
    assert [photo.id for photo in truth.photos] == [2, 4]


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ({}, None),
        ({"keypoints": [1.0, 2.0, 1.0] * 18}, "results of 18 keypoints, truth.json has 17: they are of another"),
        ({"category_id": 7}, r"categories \[7\]"),
        ({"image_id": 77}, "no result of .* is of a photo"),
        ({"score": float("nan")}, "not finite"),
        ({"score": "high"}, "no COCO keypoint results file"),
    ],
)
def test_results_of_something_else_are_refused(tmp_path: Path, results: Any, complaint: str | None) -> None:
    truth = truth_of(tmp_path, [1], [note(1, figure())])
    path = tmp_path / "r.json"
    path.write_text(json.dumps([{**result(1, figure()), **results}]))
    if complaint is None:
        assert len(read_results(path, truth)) == 1
    else:
        with pytest.raises(ConfigError, match=complaint):
            read_results(path, truth)


def test_people_come_best_first_with_missing_points_as_nan(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [1, 2], [note(1, figure())])
    partly = figure()
    partly[4] = np.nan
    first, second = people_by_photo([result(1, figure(), 0.2), result(1, partly, 0.8)], truth)
    assert first.score.tolist() == [0.8, 0.2]
    assert np.isnan(first.xy[0, 4]).all()
    assert not np.isnan(first.xy[1]).any()
    assert second.xy.shape == (0, 17, 2)


@pytest.mark.parametrize(
    ("annotations", "photos"),
    [
        ("truth.json", "."),
        ("truth.json", "images"),
        ("val.json", "val"),
        ("annotations/person_keypoints_val2017.json", "val2017"),
        ("annotations/person_keypoints_val2017.json", "images/val2017"),
    ],
)
def test_photos_are_found_where_data_sets_put_them(tmp_path: Path, annotations: str, photos: str) -> None:
    for name in (annotations, f"{photos}/000000000001.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(GOOD))
    truth = read_truth(tmp_path / annotations)
    assert photo_paths(truth, None)[1].samefile(tmp_path / photos / "000000000001.jpg")


def test_missing_photos_are_told_by_name(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [1, 2], [note(1, figure())])
    with pytest.raises(ConfigError, match=r"no photo 000000000001\.jpg in any of"):
        photo_paths(truth, None)
    (tmp_path / "000000000001.jpg").touch()
    with pytest.raises(ConfigError, match=r"1 of 2 photos are missing, such as .*000000000002.jpg"):
        photo_paths(truth, None)
