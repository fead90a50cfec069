"""Skeletons against facts measured on the networks they belong to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import (
    COCO17,
    COCO18,
    COCO133,
    HALPE26,
    HAND21,
    OPENPOSE18,
    SKELETONS,
    Skeleton,
    flip_by_name,
)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_flip_swaps_left_and_right_and_nothing_else(skeleton: Skeleton) -> None:
    for part, mirrored in zip(skeleton.parts, skeleton.flip):
        if part.startswith("face-"):
            continue  # numbered, not named: see below
        expected = {"left": "right", "right": "left"}.get(part.split("_")[0])
        name = part if expected is None else "_".join([expected, *part.split("_")[1:]])
        assert skeleton.parts[mirrored] == name


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_part_has_a_sigma(skeleton: Skeleton) -> None:
    assert skeleton.sigmas is not None
    assert len(skeleton.sigmas) == len(skeleton)


@pytest.mark.shared
def test_trt_pose_and_openpose_topologies(shared: Path) -> None:
    facts = json.loads((shared / "golden/training/topologies.json").read_text())
    trt_pose, openpose = facts["trt_pose"], facts["openpose18"]
    assert list(COCO18.parts) == trt_pose["joints"]
    assert [[a + 1, b + 1] for a, b in COCO18.limbs] == trt_pose["skeleton_1based"]
    assert list(OPENPOSE18.parts) == openpose["joints"]
    assert [list(limb) for limb in OPENPOSE18.limbs] == [limb["idx"] for limb in openpose["limbs_in_paf_channel_order"]]
    assert list(OPENPOSE18.flip) == openpose["hflip_joint_perm"]
    assert OPENPOSE18.mapping_to(COCO18).tolist() == facts["map_openpose18_to_trt_pose"]
    assert COCO18.mapping_to(OPENPOSE18).tolist() == facts["map_trt_pose_to_openpose18"]
    assert OPENPOSE18.mapping_to(COCO17).tolist() == openpose["to_coco17"]


def test_a_part_without_counterpart_maps_to_minus_one() -> None:
    assert COCO17.mapping_to(COCO18).tolist() == [*range(17), -1]
    assert HALPE26.mapping_to(COCO18).tolist() == [*range(17), 18]


def test_hand_of_trt_pose_hand_counts_from_the_finger_tips() -> None:
    assert HAND21.limbs[:5] == ((0, 4), (0, 8), (0, 12), (0, 16), (0, 20))
    assert HAND21.limbs[5:8] == ((1, 2), (2, 3), (3, 4))


def test_whole_body_is_body_feet_face_and_two_hands() -> None:
    assert len(COCO133) == 17 + 6 + 68 + 2 * 21
    assert COCO133.parts[:17] == COCO17.parts
    assert (COCO133.parts[19], COCO133.parts[91], COCO133.parts[132]) == (
        "left_heel",
        "left_hand_root",
        "right_pinky_finger4",
    )
    assert len(COCO133.limbs) == 19 + 6 + 2 * 20
    assert COCO133.limbs[-1] == (131, 132)


# Pairs of mmpose's coco_wholebody; a point in the middle of the face is its own mirror image.
@pytest.mark.parametrize(
    ("point", "mirrored"),
    [(0, 16), (8, 8), (17, 26), (27, 27), (31, 35), (33, 33), (36, 45), (39, 42), (40, 47), (41, 46), (48, 54),
     (51, 51), (55, 59), (57, 57), (60, 64), (62, 62), (65, 67), (66, 66)],
)  # fmt: skip
def test_the_face_is_mirrored_by_number(point: int, mirrored: int) -> None:
    assert COCO133.parts[COCO133.flip[23 + point]] == f"face-{mirrored}"
    assert COCO133.parts[COCO133.flip[23 + mirrored]] == f"face-{point}"


@pytest.mark.parametrize(
    ("limbs", "flip", "sigmas", "complaint"),
    [
        (((0, 2),), (0, 1), None, "outside"),
        (((0, 0),), (0, 1), None, "itself"),
        (((0, 1),), (1, 1), None, "involution"),
        (((0, 1),), (0,), None, "involution"),
        (((0, 1),), (0, 1), (0.1, -1.0), "sigmas"),
    ],
)
def test_a_contradictory_skeleton_is_refused(limbs, flip, sigmas, complaint) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=complaint):
        Skeleton("broken", ("a", "b"), limbs, flip, sigmas)


def test_flip_by_name_leaves_a_lonely_side_alone() -> None:
    assert flip_by_name(["left_wing", "tail"]) == (0, 1)
