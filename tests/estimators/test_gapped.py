"""Networks that rest: on a generated street they run exactly when they should, and people stay where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest

from tests.estimators.street import HEIGHT, WIDTH, Street, Walker
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ConfigError, DecodeError
from trt_pose_app.estimators import load
from trt_pose_app.estimators.gapped import Gapped
from trt_pose_app.estimators.protocol import Prepared
from trt_pose_app.geometry import Geometry
from trt_pose_app.message import schema
from trt_pose_app.types import Frame, Poses

SHARED = Path(__file__).parents[2] / "../shared"
SCHEDULED = [0, 10, 20, 30, 40, 50]

# Three leave over the edges, three enter, and one stays.
THROUGH_THE_EDGES = (
    Walker(60, -4),
    Walker(580, 4),
    Walker(160, -5, y=200),
    Walker(320, 0, height_px=180),
    Walker(-300, 6, y=170, height_px=180),
    Walker(800, -6, y=200),
    Walker(1060, -8, y=190, height_px=160),
)


def whole(poses: Poses) -> Poses:
    """Build again with all the checks that are skipped."""
    return Poses(poses.xy, poses.score, poses.person, poses.box, poses.track, poses.skeleton)


def run(street: Street, inference_gap: int, detector_gap: int) -> tuple[list[Poses], Any]:
    estimator = street.estimator()
    with Gapped(estimator, inference_gap, detector_gap) as gapped:
        return [whole(gapped(street.frame(i))) for i in range(len(street))], estimator


def errors_px(street: Street, index: int, poses: Poses) -> np.ndarray:
    """Return how far half of each person's keypoints are at most from those of the nearest walker: (N,)."""
    there = [w.xy(index) for w in street.walkers if w.first <= index < w.last]
    return np.array([min(np.nanmedian(np.hypot(*(xy - truth).T)) for truth in there) for xy in poses.xy])


@pytest.mark.parametrize("inference_gap", [1, 2])
def test_people_who_come_and_go_over_the_edges_cost_no_detection(inference_gap: int) -> None:
    street = Street(THROUGH_THE_EDGES)
    found, estimator = run(street, inference_gap, 10)
    assert estimator.detected == SCHEDULED
    assert [len(street.visible(0)), len(street.visible(59))] == [4, 4]
    for index in SCHEDULED:  # who has entered is found at the next detection
        assert len(found[index]) >= len(street.visible(index)) - 1
    for index, poses in enumerate(found):
        assert (errors_px(street, index, poses) < 1.5).all()


def test_a_lost_person_costs_one_detection() -> None:
    through_a_door = Street([Walker(100, 2), Walker(400, 1, last=25)])
    found, estimator = run(through_a_door, 1, 10)
    assert estimator.detected == sorted([*SCHEDULED, 25])
    assert [len(poses) for poses in found] == [2] * 25 + [1] * 35


def test_a_hidden_person_is_found_again_by_the_next_detection() -> None:
    wall = Walker(330, 0, height_px=330, first=23, last=33, person=False)
    street = Street([Walker(90, 1), Walker(330, 0, height_px=180), wall])
    found, estimator = run(street, 1, 10)
    assert estimator.detected == sorted([*SCHEDULED, 23])
    assert [len(poses) for poses in found] == [2] * 23 + [1] * 17 + [2] * 20


def test_networks_look_at_every_fourth_frame_only() -> None:
    street = Street([Walker(100, 2), Walker(500, -1.5)])
    found, estimator = run(street, 4, 1)
    assert estimator.inferred == estimator.detected == list(range(0, 60, 4))
    for index, poses in enumerate(found):
        assert len(poses) == 2
        assert (errors_px(street, index, poses) < 1.5).all()
        assert np.isfinite(poses.xy).mean() > 0.9
        boxes = sorted(walker.box(index).tolist() for walker in street.walkers)
        np.testing.assert_allclose(sorted(poses.box.tolist()), boxes, atol=2)


def test_scores_fade_while_people_are_carried() -> None:
    street = Street([Walker(200, 2)], frames=5)
    found, _ = run(street, 4, 1)
    expected = 0.8 * 0.95 ** np.array([0, 1, 2, 3, 0])
    np.testing.assert_allclose([poses.score.max() for poses in found], expected, rtol=1e-5)
    assert (np.diff([poses.person[0] for poses in found[:4]]) < 0).all()


def test_lost_tracks_are_detected_anew_at_once() -> None:
    street = Street([Walker(300, 0, last=10)], frames=12)  # vanishes between two inferences
    found, estimator = run(street, 4, 1)
    assert estimator.detected == [0, 4, 8, 10]
    assert [len(poses) for poses in found] == [1] * 10 + [0] * 2


def test_a_scene_that_changes_at_once_is_looked_at_at_once() -> None:
    street = Street([Walker(100, 0)], frames=20)
    estimator = street.estimator()
    with Gapped(estimator, 4, 16) as gapped:
        for index in range(20):
            image = street.frame(index).image.copy()
            image[1:] //= 1 if index < 6 else 3  # the light goes out
            gapped(Frame(image, index, index / 30, 0.0, "street"))
    assert estimator.detected == [0, 6, 16]


def test_nobody_in_view_costs_nothing_between_detections() -> None:
    found, estimator = run(Street([Walker(300, 0, first=25)], frames=40), 1, 10)
    assert estimator.detected == [0, 10, 20, 30]
    assert estimator.inferred == list(range(30, 40))
    assert [len(poses) for poses in found] == [0] * 30 + [1] * 10


def test_an_empty_mapping_says_that_no_network_ran() -> None:
    street = Street([Walker(200, 2)], frames=10)
    ran = []
    with Gapped(street.estimator(), 3) as gapped:
        for index in range(10):
            prepared = gapped.prepare(street.frame(index))
            maps = gapped.infer(prepared)
            ran.append(bool(maps))
            gapped.decode(maps, prepared)
    assert ran == [index % 3 == 0 for index in range(10)]


def test_frames_may_be_prepared_ahead() -> None:
    street = Street(THROUGH_THE_EDGES, frames=30)
    estimator = street.estimator()
    with Gapped(estimator, 2, 10) as gapped:
        ahead = [gapped.prepare(street.frame(i)) for i in range(30)]
        late = [gapped.decode(gapped.infer(prepared), prepared) for prepared in ahead]
    for one, other in zip(late, run(street, 2, 10)[0]):
        np.testing.assert_array_equal(one.xy, other.xy)


def test_the_same_frames_give_the_same_people() -> None:
    street = Street(THROUGH_THE_EDGES)
    for one, other in zip(run(street, 3, 10)[0], run(street, 3, 10)[0]):
        for name in ("xy", "score", "person", "box"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(("gaps", "message"), [((0, 1), "gaps of 0 and 1"), ((1, -3), "gaps of 1 and -3")])
def test_gaps_start_at_one(gaps: tuple[int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Gapped(Street([]).estimator(), *gaps)


def test_a_detector_gap_needs_a_detector() -> None:
    with load("pose-nano", ModelConfig(backend="cpu", threads=1)) as estimator:
        with pytest.raises(ConfigError, match="no detector that could rest"):
            Gapped(estimator, 1, 10)
        assert len(Gapped(estimator, 4)(np.zeros((HEIGHT, WIDTH, 3), np.uint8))) == 0


def test_frames_prepared_by_another_estimator_are_refused() -> None:
    frame = Street([]).frame(0)
    foreign = Prepared(frame.image, {}, Geometry.stretch((WIDTH, HEIGHT), (8, 8)), 0.0)
    with pytest.raises(DecodeError, match="another estimator prepared"):
        Gapped(Street([]).estimator(), 4).infer(foreign)


@pytest.mark.shared
def test_the_command_line_on_a_real_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from trt_pose_app.cli import cli

    monkeypatch.setenv("TRT_POSE_MODELS", str(SHARED / "weights"))
    out = tmp_path / "out.jsonl"
    arguments = ["run", str(SHARED / "videos/two-people-1080p.mp4"), str(out), "--frames", "12", "--threads", "1"]
    model = ["--model", "rtmdet-nano-person+tinypose-256x192", "--inference-gap", "4", "--detector-gap", "8"]
    result = CliRunner().invoke(cli, [*arguments, *model])
    assert result.exit_code == 0, result.output
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    for message in messages:
        jsonschema.validate(message, schema())
    assert [message.get("carried", False) for message in messages] == [index % 4 > 0 for index in range(12)]
    assert all((message["latency_ms"]["infer"] == 0) == message.get("carried", False) for message in messages)
    assert all(len(message["people"]) == 2 for message in messages)


@pytest.mark.shared
def test_a_real_pair_differs_by_a_hundredth_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRT_POSE_MODELS", str(SHARED / "weights"))
    capture = cv2.VideoCapture(str(SHARED / "videos/two-people-1080p.mp4"))
    images = [capture.read()[1] for _ in range(12)]
    config = ModelConfig(backend="cpu", threads=1)
    with load("rtmdet-nano-person+tinypose-256x192", config) as estimator:
        every = [estimator(image) for image in images]
        gapped = Gapped(estimator, inference_gap=4)
        far = []
        for image, truth in zip(images, every):
            poses = whole(gapped(image))
            assert len(poses) == len(truth) == 2
            apart = np.hypot(*np.moveaxis(poses.xy[:, None] - truth.xy, 3, 0))
            size = np.sqrt(np.prod(truth.box[:, 2:] - truth.box[:, :2], axis=1))
            far.append(np.nanmean(np.nanmean(apart, axis=2).min(axis=0) / size))
    assert np.mean(far) < 0.02
