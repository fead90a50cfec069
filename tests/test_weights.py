"""The model that ships: small, whole, and it finds the people it is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.models.bundle import Bundle, read_bundle

cv2 = pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")

from trt_pose_app.estimators import load  # noqa: E402  # after the checks for what it needs

ROOT = Path(__file__).parents[1]
NETWORK = ROOT / "weights/pose-nano.onnx"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(NETWORK)


@pytest.fixture(scope="module")
def pose_nano():
    with load(str(NETWORK)) as estimator:
        yield estimator


def test_the_file_is_the_one_of_the_spec_and_small(bundle: Bundle) -> None:
    bundle.verify()
    assert NETWORK.stat().st_size <= 6.5e6


def test_its_card_names_data_trunk_licences_and_limits() -> None:
    card = (ROOT / "weights/pose-nano.md").read_text(encoding="utf-8")
    for subject in ("Apache-2.0", "LSPET", "COCO", "openpose-lightweight", "PCK@0.2", "Limits", "trt-pose train"):
        assert subject in card


def test_it_finds_both_people_of_the_sample(pose_nano) -> None:
    picture = cv2.imread(str(ROOT / "scripts/sample/people.jpg"))
    poses = pose_nano(picture)
    noses = poses.xy[:, poses.skeleton.parts.index("nose")]
    middle = picture.shape[1] / 2
    assert (noses[:, 0] < middle).sum() == 1
    assert (noses[:, 0] > middle).sum() == 1
    assert ((poses.score > 0).sum(axis=1) >= 10).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_it_finds_nobody_on_a_plain_picture(pose_nano, value: int) -> None:
    assert len(pose_nano(np.full((480, 640, 3), value, np.uint8)).person) == 0


def test_other_input_sizes_find_them_too() -> None:
    from trt_pose_app.config.schema import ModelConfig

    with load(str(NETWORK), ModelConfig(input_size="256x512")) as estimator:
        assert len(estimator(cv2.imread(str(ROOT / "scripts/sample/people.jpg"))).person) == 2
