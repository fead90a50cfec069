"""Reading COCO keypoints: what is learnt from, what is ignored, and which flaws are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import COCO18
from trt_pose_app.training.coco import KeypointData, read_coco, read_training_data
from trt_pose_app.training.recipe import DataRecipe


def read(folder: Path, **options: Any) -> KeypointData:
    return read_coco(
        folder / "people.json", folder / "photos", **{"category": "person", "skeleton": "coco18"} | options
    )


def edit(folder: Path, change: Any) -> None:
    content = json.loads((folder / "people.json").read_text())
    change(content)
    (folder / "people.json").write_text(json.dumps(content))


def test_the_neck_is_the_middle_of_two_known_shoulders(stick_people):
    def hide_a_shoulder(content):
        content["annotations"][1]["keypoints"][3 * 5 + 2] = 0

    edit(stick_people, hide_a_shoulder)
    first, second = read(stick_people).photos[:2]
    neck, shoulders = COCO18.parts.index("neck"), [5, 6]
    np.testing.assert_allclose(first.xy[0, neck], first.xy[0, shoulders].mean(axis=0), rtol=1e-6)
    assert first.visible[0, neck] == 2
    assert second.visible[0, neck] == 0


def test_without_a_skeleton_the_categorys_own_is_learnt(stick_people):
    skeleton = read(stick_people, skeleton=None).skeleton
    assert len(skeleton) == 17
    assert skeleton.limbs[0] == (15, 13)
    assert skeleton.flip[1] == 2


@pytest.mark.parametrize(
    ("change", "people", "ignored"),
    [
        ({"iscrowd": 1}, 0, 1),
        ({"keypoints": [0] * 51}, 0, 1),  # a person nobody has marked
        ({"keypoints": [1, 2, 2]}, 0, 1),
        ({"category_id": 7}, 0, 0),
        ({}, 1, 0),
    ],
)
def test_people_without_keypoints_are_ignored_not_background(stick_people, change, people, ignored):
    edit(stick_people, lambda content: content["annotations"][0].update(change))
    photo = read(stick_people).photos[0]
    assert (len(photo.xy), len(photo.ignore)) == (people, ignored)
    assert photo.main == people - 1


SQUARE = [[10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]]


@pytest.mark.parametrize(
    ("segmentation", "outlines", "boxes", "flaws"),
    [
        (SQUARE, 1, 0, 0),
        (SQUARE * 2, 2, 0, 0),
        ({"size": [60, 80], "counts": [60 * 10 + 5, 20, 60 * 80 - 625]}, 1, 0, 0),
        (None, 0, 1, 0),  # the box is left
        ([], 0, 1, 0),
        ([[1.0, 2.0, 3.0]], 0, 1, 1),
        ({"size": [60, 80], "counts": [7]}, 0, 1, 1),
    ],
    ids=["polygon", "polygons", "run lengths", "none", "empty", "odd polygon", "short run lengths"],
)
def test_crowds_are_ignored_inside_their_segmentation_where_that_is_asked_for(
    stick_people, segmentation, outlines, boxes, flaws
):
    edit(stick_people, lambda c: c["annotations"][0].update(iscrowd=1, segmentation=segmentation))
    data = read(stick_people, outlined=True)
    photo = data.photos[0]
    assert (len(photo.outlines), len(photo.ignore), len(data.flaws)) == (outlines, boxes, flaws)
    plain = read(stick_people).photos[0]
    assert (len(plain.outlines), len(plain.ignore)) == (0, 1)


def test_every_flaw_is_told(stick_people):
    def spoil(content):
        content["annotations"][0]["keypoints"][:3] = [500, 500, 2]
        content["annotations"][1]["keypoints"] = [1, 2]
        content["annotations"].append(dict(content["annotations"][2], image_id=99))

    edit(stick_people, spoil)
    (stick_people / "photos/5.png").unlink()
    data = read(stick_people)
    told = "\n".join(data.flaws)
    for sign in ("outside the photo", "2 numbers, not 51", "not among the images", "5.png: no such file"):
        assert sign in told
    assert len(data.photos) == 5
    assert data.photos[0].visible[0, 0] == 0


@pytest.mark.parametrize(
    ("change", "sign", "people"),
    [
        ({"category_id": 7}, "of a category 7 that is not there", 0),
        ({"id": 1}, "2 annotations have the id 1", 1),
        ({"bbox": [0, 0, -1, 5]}, "a bbox of -1 x 5 pixels", 1),
        ({"bbox": [0, 0, None, 5]}, "no bbox of four finite numbers", 0),
        ({"bbox": None}, "no bbox of four finite numbers", 0),
        ({"keypoints": [1, 1, 7] + [1, 1, 2] * 16}, "1 keypoint with v = 7", 1),
        ({"keypoints": [1, 1, -1] * 2 + [1, 1, 2] * 15}, "2 keypoints with v = -1", 1),
        ({"keypoints": [None, 1, 2] + [1, 1, 2] * 16}, "1 keypoint with numbers that are not finite", 1),
        ({"keypoints": ["left", 1, 2] + [1, 1, 2] * 16}, "0 numbers, not 51", 0),
    ],
)
def test_a_flawed_annotation_is_told_and_its_flawed_keypoints_are_unknown(stick_people, change, sign, people):
    edit(stick_people, lambda content: content["annotations"][0].update(change))
    data = read(stick_people)
    assert len(data.flaws) == 1
    assert sign in data.flaws[0]
    photo = data.photos[0]
    assert len(photo.xy) == people
    if "keypoints" in change and people:
        assert photo.visible[0, 0] == 0
        assert photo.visible[0, 5] == 2


@pytest.mark.parametrize(
    ("options", "sign"),
    [
        ({"category": "dog"}, "only person"),
        ({"skeleton": "spider"}, "no skeleton 'spider'"),
        ({"skeleton": "hand21"}, "no keypoint of the skeleton"),
    ],
)
def test_what_cannot_be_learnt_is_an_error(stick_people, options, sign):
    with pytest.raises(ConfigError, match=sign):
        read(stick_people, **options)


@pytest.mark.parametrize("text", [None, "{", "{}", '{"categories": []}'])
def test_a_file_that_is_no_annotation_is_an_error(tmp_path, text):
    if text is not None:
        (tmp_path / "people.json").write_text(text)
    with pytest.raises(ConfigError):
        read(tmp_path)


@pytest.mark.parametrize(("people_only", "n_photos"), [(False, 6), (True, 5)])
def test_further_sets_come_with_their_shares_and_if_asked_without_empty_photos(stick_people, people_only, n_photos):
    edit(stick_people, lambda content: content["annotations"].pop())
    source = {"images": stick_people / "photos", "annotations": stick_people / "people.json"}
    recipe = DataRecipe.model_validate(
        {**source, "skeleton": "coco18", "more": [{**source, "share": 0.25, "people_only": people_only}]}
    )
    data = read_training_data(recipe)
    assert len(data.main.photos) == 6
    assert [(len(more.photos), share) for more, share in data.more] == [(n_photos, 0.25)]


def test_sets_of_different_skeletons_do_not_mix(stick_people):
    content = json.loads((stick_people / "people.json").read_text())
    content["categories"][0]["skeleton"].pop()
    (stick_people / "other.json").write_text(json.dumps(content))
    photos = stick_people / "photos"
    recipe = DataRecipe.model_validate(
        {
            "images": photos,
            "annotations": stick_people / "people.json",
            "more": [{"images": photos, "annotations": stick_people / "other.json", "share": 0.5}],
        }
    )
    with pytest.raises(ConfigError, match="another skeleton"):
        read_training_data(recipe)


@pytest.mark.shared
def test_the_main_person_of_an_lspet_photo_is_the_one_marked_by_hand(shared):
    data = read_coco(
        shared / "images/lspet/val.json", shared / "images/lspet/val", category="person", skeleton="coco18"
    )
    content = json.loads((shared / "images/lspet/val.json").read_text())
    by_hand = {
        content_id["image_id"]: content_id["bbox"]
        for content_id in content["annotations"]
        if content_id["source"] != "teacher" and not content_id["iscrowd"]
    }
    names = {record["file_name"]: record["id"] for record in content["images"]}
    for photo in data.photos:
        if (box := by_hand.get(names[photo.path.name])) is not None:
            np.testing.assert_allclose(photo.box[photo.main, :2], box[:2], atol=1e-3)
