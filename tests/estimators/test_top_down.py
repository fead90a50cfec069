"""Detector, crops, batches and decoding together: scripted networks, and the real pair on real pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import trt_pose_app
from tests.estimators.scripted import AT, SIZE, write_detector, write_pose
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import DecodeError, ModelNotFoundError, ModelSpecError
from trt_pose_app.estimators import PRESETS, TopDown, find_models, load
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.store import packaged_directory
from trt_pose_app.pipeline import Pipeline
from trt_pose_app.sources import open_source
from trt_pose_app.types import Frame, Poses

FRAME = (256, 256)  # twice the detector's input
PICTURE = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)
TWO = [(10, 20, 40, 80, 0.9), (70, 20, 100, 90, 0.6)]
SAMPLE = Path(__file__).parents[2] / "scripts/sample"


def pair(folder: Path, boxes: Any = TWO, *, batch: int | str = "batch", **config: Any) -> TopDown:
    detector, pose = write_detector(folder, boxes), write_pose(folder, batch=batch)
    estimator = load(f"{detector}+{pose}", ModelConfig(backend="cpu", threads=1, **config))
    assert isinstance(estimator, TopDown)
    return estimator


def expected(box: tuple[float, ...]) -> np.ndarray:
    """Where the scripted keypoint of a box (in the detector's input) lies in the frame."""
    x0, y0, x1, y1 = (2 * side for side in box[:4])
    return Geometry.affine_crop(FRAME, (x0, y0, x1, y1), SIZE).to_frame(np.array(AT))


def whole(poses: Poses) -> Poses:
    """Build again with all the checks that decoders skip."""
    return Poses(poses.xy, poses.score, poses.person, poses.box, poses.track, poses.skeleton)


def test_each_person_is_found_in_their_box(tmp_path: Path) -> None:
    with pair(tmp_path) as estimator:
        poses = whole(estimator(PICTURE))
    np.testing.assert_allclose(poses.box, [[20, 40, 80, 160], [140, 40, 200, 180]])
    for found, box in zip(poses.xy, TWO):
        np.testing.assert_allclose(found, np.tile(expected(box), (17, 1)), atol=1e-3)
    np.testing.assert_allclose(poses.person, [0.9 * 0.6, 0.6 * 0.6], rtol=1e-5)
    np.testing.assert_allclose(poses.score[0], np.linspace(0.8, 0.4, 17), rtol=1e-5)


@pytest.mark.parametrize("config", [{}, {"detector_threshold": 0.95}])
def test_nobody_in_view_is_nobody_and_no_crop_is_run(tmp_path: Path, config: dict[str, float]) -> None:
    with pair(tmp_path, TWO if config else [], **config) as estimator:
        estimator._pose.infer = None  # type: ignore[method-assign, assignment]
        for _ in range(2):
            assert len(whole(estimator(PICTURE))) == 0


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("max_batch", [1, 3, 16])
def test_any_number_of_people_in_any_batch(tmp_path: Path, batch: int | str, max_batch: int) -> None:
    rng = np.random.default_rng(1)
    with pair(tmp_path, batch=batch, max_batch=max_batch) as estimator:
        for n in (7, 1, 0, 4, 9, 2):
            corner = rng.uniform(0, 100, (n, 2))
            boxes = np.concatenate([corner, corner + rng.uniform(20, 100, (n, 2))], axis=1).astype(np.float32)
            poses = whole(estimator.poses_in_boxes(PICTURE, boxes, np.linspace(1, 0.1, n)))
            np.testing.assert_array_equal(poses.box, boxes)
            for found, box in zip(poses.xy, boxes):
                np.testing.assert_allclose(found[0], expected(tuple(box / 2)), rtol=1e-4, atol=1e-3)


def test_crops_reach_the_network_in_its_own_order_in_every_chunk(tmp_path: Path) -> None:
    with pair(tmp_path, batch=2) as estimator:
        seen = []
        infer = estimator.engine.infer
        estimator.engine.infer = lambda feeds: (seen.append(feeds["x"].copy()), infer(feeds))[1]  # type: ignore[method-assign]
        boxes = np.array([[0, 0, 60, 80], [30, 40, 90, 120], [100, 100, 200, 250]], np.float32)
        estimator.poses_in_boxes(PICTURE, boxes)
        rows = np.concatenate(seen)
        seen.clear()
        for row, box in zip(rows, boxes):
            estimator.poses_in_boxes(PICTURE, box[None])
            np.testing.assert_array_equal(seen.pop()[0], row)
    assert len(rows) == 4


def test_odd_boxes_are_left_out_and_boxes_partly_outside_are_not(tmp_path: Path) -> None:
    nan = float("nan")
    boxes = [[20, 40, 80, 160], [nan, 0, 9, 9], [50, 50, 50, 90], [-40, -40, 30, 30], [9, 9, 3, 3], [0, 0, np.inf, 9]]
    with pair(tmp_path) as estimator:
        poses = whole(estimator.poses_in_boxes(PICTURE, np.array(boxes)))
        assert sorted(poses.box[:, 0]) == [-40, 20]
        assert len(estimator.poses_in_boxes(PICTURE, np.empty((0, 4)))) == 0
        with pytest.raises(DecodeError, match="boxes is"):
            estimator.poses_in_boxes(PICTURE, np.ones((3, 5)))
        with pytest.raises(DecodeError, match="scores"):
            estimator.poses_in_boxes(PICTURE, np.ones((3, 4)), np.ones(2))


@pytest.mark.parametrize(
    ("config", "people"),
    [
        ({}, 2),
        ({"detector_threshold": 0.7}, 1),
        ({"min_person_score": 0.4}, 1),
        ({"max_people": 1}, 1),
        ({"peak_threshold": 0.79, "min_keypoints": 3}, 0),
    ],
)
def test_the_configuration_s_thresholds(tmp_path: Path, config: dict[str, Any], people: int) -> None:
    with pair(tmp_path, **config) as estimator:
        assert len(whole(estimator(PICTURE))) == people


def test_one_person_in_two_boxes_is_one_person(tmp_path: Path) -> None:
    twice = [(10, 20, 40, 80, 0.9), (10.5, 20, 40.5, 80, 0.8)]
    with pair(tmp_path, twice) as estimator:
        assert len(estimator(PICTURE)) == 1
    with pair(tmp_path, twice, pose_nms=1.0) as estimator:
        assert len(estimator(PICTURE)) == 2


def test_the_stages_one_by_one_are_the_call(tmp_path: Path) -> None:
    with pair(tmp_path) as estimator:
        prepared = estimator.prepare(Frame(PICTURE, 0, 0.0, 0.0, "test"))
        poses = estimator.decode(estimator.infer(prepared), prepared)
        np.testing.assert_array_equal(poses.xy, estimator(PICTURE).xy)
        boxes = estimator.detect(PICTURE)
        by_hand = estimator.select(estimator.poses_in_boxes(PICTURE, boxes.xyxy, boxes.score))
        np.testing.assert_array_equal(poses.xy, by_hand.xy)


def test_the_pipeline_runs_it_as_any_other(tmp_path: Path) -> None:
    with pair(tmp_path) as estimator:
        stats = Pipeline(open_source("synthetic://people?n=1&frames=4"), estimator, []).run()
    assert (stats.frames, stats.people) == (4, 8)


def test_a_pair_is_labelled_by_both_networks(tmp_path: Path) -> None:
    name = f"{write_detector(tmp_path, [])}+{write_pose(tmp_path)}"
    assert re.fullmatch(r"boxes@\w{8}\+pose@\w{8}", find_models(name, ModelConfig(), [tmp_path]).label)


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("{pose}", ModelSpecError, "needs a detector"),
        ("{boxes}", ModelSpecError, "finds people, not their keypoints"),
        ("{boxes}+{boxes}", ModelSpecError, "finds people, not their keypoints"),
        ("{pose}+{boxes}", ModelSpecError, r"the detector comes first: boxes\+pose"),
        ("ballanced", ModelNotFoundError, "did you mean balanced"),
        ("{pose}+{pose}", ModelSpecError, "pose is a simcc network, not a detector"),
        ("{boxes}+missing", ModelNotFoundError, "no model 'missing'"),
        ("missing+{pose}", ModelNotFoundError, "no model 'missing'"),
    ],
)
def test_pairs_that_are_none(tmp_path: Path, name: str, error: type[Exception], reason: str) -> None:
    files = {"boxes": write_detector(tmp_path, []), "pose": write_pose(tmp_path)}
    with pytest.raises(error, match=reason):
        load(name.format(**files), search=[tmp_path])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_which_files_it_needs(tmp_path: Path, preset: str) -> None:
    size = {"lightweight": "t", "balanced": "s", "performance": "m"}[preset]
    with pytest.raises(ModelNotFoundError) as caught:
        load(preset, search=[tmp_path])
    needed = f"needs rtmdet-nano-person.onnx and rtmpose-{size}-coco17.onnx"
    assert needed in caught.value.message
    assert "trt-pose models pull" in caught.value.hint


def test_a_preset_is_its_pair(tmp_path: Path) -> None:
    write_detector(tmp_path, TWO, "rtmdet-nano-person")
    write_pose(tmp_path, "rtmpose-s-coco17")
    with load("balanced", ModelConfig(threads=1, backend="cpu"), search=[tmp_path]) as estimator:
        assert len(estimator(PICTURE)) == 2


@pytest.mark.shared
@pytest.mark.parametrize("detector", ["rtmdet-nano-person", "rtmdet-nano-sdk-end2end", "yolox-nano"])
def test_the_real_pairs_find_both_people_of_the_sample(shared: Path, detector: str) -> None:
    search = [shared / "weights", packaged_directory()]
    with trt_pose_app.load(f"{detector}+tinypose-256x192", ModelConfig(threads=1), search=search) as estimator:
        poses = whole(estimator(cv2.imread(str(SAMPLE / "people.jpg"))))
        assert len(poses) == 2
        nose = poses.xy[:, 0]
        assert np.allclose(nose[np.argsort(nose[:, 0])], [[225, 122], [765, 165]], atol=25), nose
        for value in (0, 128, 255):
            assert len(estimator(np.full((480, 640, 3), value, np.uint8))) == 0


@pytest.mark.shared
def test_flipping_changes_little_and_keeps_left_and_right(shared: Path) -> None:
    picture = cv2.imread(str(SAMPLE / "people.jpg"))
    found = []
    for flip in (False, True):
        config = ModelConfig(threads=1, flip=flip)
        search = [shared / "weights", packaged_directory()]
        with load("rtmdet-nano-person+tinypose-256x192", config, search=search) as estimator:
            poses = estimator(picture)
        found.append(poses.xy[np.argsort(poses.box[:, 0])])
    moved = np.linalg.norm(found[0] - found[1], axis=2)
    assert np.nanmedian(moved) < 8  # half a cell of the map, in this picture
    assert np.nanmax(moved) < 40
