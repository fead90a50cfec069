"""Top-down networks are calibrated and compared on people, also where nobody has annotated them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")

from converters.people_finder import crops_of_people  # noqa: E402  # after the check for OpenCV
from converters.person_cutter import PersonCutter  # noqa: E402
from tests.estimators.scripted import SIZE, write_detector, write_pose  # noqa: E402
from trt_pose_app.models.bundle import read_bundle  # noqa: E402
from trt_pose_app.models.spec import ModelSpec  # noqa: E402

SAMPLE = Path(__file__).parents[2] / "scripts/sample/people.jpg"
BLANK = np.full((256, 256, 3), 90, np.uint8)


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    folder = tmp_path / "pose"
    folder.mkdir()
    return read_bundle(write_pose(folder)).spec


def test_a_crop_holds_the_box_with_its_margin_as_bgr(spec: ModelSpec) -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[100:200, 120:180] = (10, 20, 250)
    boxes = np.array([[120, 100, 180, 200], [5, 5, 5, 9], [np.nan, 0, 1, 1]], np.float32)
    (crop,) = PersonCutter(spec)(picture, boxes)  # a box without an area is nobody
    assert crop.shape == (SIZE[1], SIZE[0], 3)
    assert crop[SIZE[1] // 2, SIZE[0] // 2].tolist() == [10, 20, 250]
    filled = (crop == (10, 20, 250)).all(axis=2)
    assert filled.any(axis=1).sum() == pytest.approx(SIZE[1] / spec.input.crop_padding, abs=2)


def test_an_installed_detector_says_where_people_are(spec: ModelSpec, tmp_path: Path) -> None:
    write_detector(tmp_path, [(10, 20, 40, 80, 0.9), (70, 20, 100, 90, 0.6)])
    frames = [BLANK + 10 * i for i in range(3)]
    crops, sentence = crops_of_people(frames, spec, search=[tmp_path], threads=1)
    assert sentence == "3 people in 3 pictures, found by boxes"
    assert [int(np.median(crop)) for crop in crops] == [90, 100, 110]  # of six people, evenly spread


def test_else_the_embedded_network_does(spec: ModelSpec, tmp_path: Path) -> None:
    crops, sentence = crops_of_people([cv2.imread(str(SAMPLE))] * 2, spec, search=[tmp_path], threads=1)
    assert sentence == "2 people in 2 pictures, found by pose-nano"
    assert {crop.shape for crop in crops} == {(SIZE[1], SIZE[0], 3)}


def test_where_nobody_is_the_whole_pictures_count_and_that_is_said(spec: ModelSpec) -> None:
    crops, sentence = crops_of_people([BLANK] * 2, spec, threads=1)
    assert sentence == "pose-nano finds nobody: each of 2 whole pictures counts as one person"
    assert [crop.shape for crop in crops] == [BLANK.shape] * 2
