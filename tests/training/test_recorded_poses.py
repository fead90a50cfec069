"""Another estimator's results as starting points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.training.recorded_poses import RecordedPoses

POSE = [float(v) for i in range(17) for v in (100 + i, 200 + 2 * i, 0.9)]


@pytest.fixture
def files(tmp_path: Path) -> Any:
    def write(results: Any) -> tuple[Path, Path]:
        (tmp_path / "people.json").write_text(json.dumps({"images": [{"id": 7, "file_name": "a.jpg"}]}))
        (tmp_path / "results.json").write_text(json.dumps(results))
        return tmp_path / "results.json", tmp_path / "people.json"

    return write


def test_a_person_gets_the_pose_that_overlaps_it_most(files: Any) -> None:
    far = [v + 50 * (i % 3 == 0) for i, v in enumerate(POSE)]
    missing = [0.0, 0.0, 0.0, *POSE[3:]]
    results = [{"image_id": 7, "keypoints": k} for k in (far, missing)]
    recorded = RecordedPoses.read(*files(results), 17)
    pose = recorded.of("a.jpg", np.array([99, 199, 117, 235]))
    assert np.isnan(pose[0]).all()
    np.testing.assert_allclose(pose[1:], np.reshape(POSE, (17, 3))[1:, :2])


@pytest.mark.parametrize(("name", "box"), [("b.jpg", (99, 199, 117, 235)), ("a.jpg", (0, 0, 10, 10))])
def test_a_person_nobody_found_has_no_pose(files: Any, name: str, box: tuple[float, ...]) -> None:
    recorded = RecordedPoses.read(*files([{"image_id": 7, "keypoints": POSE}]), 17)
    assert np.isnan(recorded.of(name, np.array(box))).all()


def test_results_of_another_skeleton_are_refused(files: Any) -> None:
    with pytest.raises(ConfigError, match="17 keypoints, not 18"):
        RecordedPoses.read(*files([{"image_id": 7, "keypoints": POSE}]), 18)


@pytest.mark.parametrize("results", [[{"image_id": 7}], [3], [{"image_id": 7, "keypoints": ["a"] * 51}]])
def test_a_file_of_something_else_is_refused(files: Any, results: Any) -> None:
    with pytest.raises(ConfigError, match="no COCO keypoint results"):
        RecordedPoses.read(*files(results), 17)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        RecordedPoses.read(tmp_path / "none.json", tmp_path / "none.json", 17)
