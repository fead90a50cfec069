"""What a Frame and Poses promise, and what they export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError, DecodeError, DependencyError
from trt_pose_app.skeleton import COCO17, COCO18, OPENPOSE18
from trt_pose_app.types import Frame, Poses, boxes_around


def make_poses(n_people: int = 2, skeleton=COCO17) -> Poses:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    k_parts = len(skeleton)
    xy = random.uniform(0, 100, (n_people, k_parts, 2)).astype(np.float32)
    score = random.uniform(0.1, 1, (n_people, k_parts)).astype(np.float32)
    xy[:, 3], score[:, 3] = np.nan, 0
    person = np.linspace(0.9, 0.5, n_people, dtype=np.float32)
    return Poses(xy, score, person, boxes_around(xy), np.full(n_people, -1, np.int32), skeleton)


def replaced(poses: Poses, **changes: object) -> Poses:
    arrays = {name: getattr(poses, name) for name in ("xy", "score", "person", "box", "track", "skeleton")}
    return Poses(**{**arrays, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"xy": np.zeros((2, 16, 2), np.float32)}, "xy is"),
        ({"score": np.zeros((2, 17))}, "score is"),
        ({"score": np.full((2, 17), 1.5, np.float32)}, r"leaves \[0, 1\]"),
        ({"score": np.full((2, 17), 0.5, np.float32)}, "exactly where"),  # part 3 has no place but a score
        ({"person": np.array([0.1, 0.9], np.float32)}, "descending"),
        ({"person": np.array([np.nan, 0.9], np.float32)}, "descending"),
        ({"track": np.zeros(2, np.int64)}, "track is"),
    ],
)
def test_poses_that_break_the_contract_are_refused(change, complaint) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DecodeError, match=complaint):
        replaced(make_poses(), **change)


def test_poses_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        make_poses().xy[0, 0, 0] = 1


def test_nobody_is_a_valid_result() -> None:
    poses = Poses.empty(COCO18)
    assert len(poses) == 0
    assert poses.to_dict() == []
    assert poses.to_openpose_json() == {"version": 1.3, "people": []}


def test_to_dict_writes_triples_and_zeros_for_missing() -> None:
    poses = make_poses()
    person = poses.to_dict()[0]
    assert "id" not in person
    assert len(person["keypoints"]) == 51
    assert person["keypoints"][9:12] == [0, 0, 0]
    assert person["keypoints"][0] == pytest.approx(float(poses.xy[0, 0, 0]), abs=0.051)
    x, y, w, h = person["bbox"]
    assert (x + w, y + h) == pytest.approx(tuple(poses.box[0, 2:].tolist()), abs=0.11)


def test_a_tracked_person_has_an_id() -> None:
    poses = replaced(make_poses(), track=np.array([7, -1], np.int32))
    assert [person.get("id") for person in poses.to_dict()] == [7, None]


def test_a_tiny_score_does_not_become_missing() -> None:
    poses = make_poses(1)
    score = poses.score.copy()
    score[0, 0] = 1e-6
    assert replaced(poses, score=score).keypoints()[0][2] == 0.001


def test_to_coco_gives_one_result_per_person() -> None:
    results = make_poses().to_coco(42)
    assert [r["image_id"] for r in results] == [42, 42]
    assert results[0]["category_id"] == 1
    assert results[0]["score"] >= results[1]["score"]
    assert len(results[0]["keypoints"]) == 51


def test_another_skeleton_keeps_what_both_have() -> None:
    poses = make_poses(skeleton=COCO17)
    converted = poses.to_skeleton(OPENPOSE18)
    assert np.array_equal(converted.xy[:, 0], poses.xy[:, 0])  # nose
    assert np.isnan(converted.xy[:, 1]).all()  # COCO-17 has no neck
    assert (converted.score[:, 1] == 0).all()
    assert poses.to_skeleton(COCO17) is poses


def test_openpose_json_has_the_keys_of_write_json() -> None:
    person = make_poses(1).to_openpose_json()["people"][0]
    assert len(person["pose_keypoints_2d"]) == 51
    assert person["person_id"] == [-1]
    assert {"face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_3d"} <= person.keys()


def test_supervision_is_optional() -> None:
    try:
        import supervision  # noqa: F401
    except ImportError:
        with pytest.raises(DependencyError, match="supervision"):
            make_poses().to_supervision()
    else:
        assert len(make_poses().to_supervision().xy) == 2


def test_boxes_leave_missing_keypoints_out() -> None:
    xy = np.array([[[1, 2], [np.nan, np.nan], [5, 3]]], np.float32)
    assert boxes_around(xy).tolist() == [[1, 2, 5, 3]]


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "u1")]
)
def test_a_frame_is_bgr_uint8(image) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="BGR"):
        Frame(image, 0, 0.0, 0.0, "test")


@pytest.mark.parametrize(("image", "hint"), [(None, "cv2.imread returns None"), ([[[0, 0, 0]]], "numpy.asarray")])
def test_what_is_no_array_is_refused_with_a_hint(image: Any, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        Frame(image, 0, 0.0, 0.0, "test")


def test_a_frame_is_read_only() -> None:
    frame = Frame(np.zeros((4, 6, 3), np.uint8), 0, 0.0, 0.0, "test")
    assert (frame.width, frame.height) == (6, 4)
    assert not frame.image.flags.writeable
