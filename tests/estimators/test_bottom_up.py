"""Real networks through the whole estimator."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import trt_pose_app
from tests.networks import TWO_PEOPLE, write_scripted_pose_network
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ModelSpecError

SAMPLE = Path(__file__).parents[2] / "scripts/sample"


@pytest.mark.parametrize("native", [False, None])
def test_two_people_are_found_where_the_maps_put_them(tmp_path: Path, native: bool | None) -> None:
    from trt_pose_app.estimators import build
    from trt_pose_app.models.bundle import read_bundle

    bundle = read_bundle(write_scripted_pose_network(tmp_path))
    with build(bundle, ModelConfig(backend="cpu", threads=1), native=native) as estimator:
        poses = estimator(np.zeros((480, 640, 3), np.uint8))
    assert len(poses) == 2
    left_first = poses.xy[np.argsort(poses.box[:, 0])]
    expected = np.array(TWO_PEOPLE) * (640, 480) - 0.5
    # 0.3 of a cell, which is 20 x 15 pixels of this frame
    assert np.abs(left_first - expected).max() < 6


def test_a_spec_that_names_other_outputs_is_refused(tmp_path: Path) -> None:
    path = write_scripted_pose_network(tmp_path)
    sidecar = path.with_suffix(".toml")
    sidecar.write_text(sidecar.read_text().replace('cmap = "cmap"', 'cmap = "heat"'))
    with pytest.raises(ModelSpecError, match="heat"):
        trt_pose_app.load(str(path))


@pytest.mark.shared
def test_openpose_lightweight_finds_both_people_of_the_sample(shared: Path) -> None:
    from trt_pose_app.models.store import packaged_directory

    with trt_pose_app.load("openpose-lightweight", search=[shared / "weights", packaged_directory()]) as estimator:
        poses = estimator(cv2.imread(str(SAMPLE / "people.jpg")))
    nose = poses.xy[:, poses.skeleton.parts.index("nose")]
    assert len(poses) == 2
    assert np.allclose(nose[np.argsort(nose[:, 0])], [[225, 122], [765, 165]], atol=20), nose
