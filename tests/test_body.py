"""Angles, widths and lengths of bodies whose measures are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.body import ANGLES, measure
from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import COCO17, COCO18, COCO133, HALPE26, HAND21, OPENPOSE18, Skeleton
from trt_pose_app.types import Poses, boxes_around

# Somebody who stands upright, arms out, left forearm up, right knee bent to the right of the picture; y is down.
STANDING = {
    "left_shoulder": (140, 100), "right_shoulder": (60, 100),
    "left_elbow": (200, 100), "right_elbow": (0, 100),
    "left_wrist": (200, 40), "right_wrist": (-60, 100),
    "left_hip": (125, 250), "right_hip": (75, 250),
    "left_knee": (125, 350), "right_knee": (75, 350),
    "left_ankle": (125, 450), "right_ankle": (175, 350),
    "left_big_toe": (150, 450), "right_big_toe": (175, 380),
}  # fmt: skip


def people(*places: dict[str, tuple[float, float]], skeleton: Skeleton = COCO17, score: float = 0.9) -> Poses:
    """Return people with the given parts; all others are missing."""
    xy = np.full((len(places), len(skeleton), 2), np.nan, np.float32)
    for row, person in zip(xy, places):
        for part, place in person.items():
            if part in skeleton.parts:
                row[skeleton.parts.index(part)] = place
    scores = np.where(np.isnan(xy[..., 0]), 0, score).astype(np.float32)
    n = len(places)
    return Poses(xy, scores, np.full(n, 0.9, np.float32), boxes_around(xy), np.full(n, -1, np.int32), skeleton)


@pytest.mark.parametrize("skeleton", [COCO17, COCO18, OPENPOSE18, HALPE26, COCO133], ids=lambda s: s.name)
def test_somebody_standing(skeleton: Skeleton) -> None:
    body = measure(people(STANDING, skeleton=skeleton))
    angles = {name: float(values[0]) for name, values in body.angle_deg.items()}
    hip = 180 - np.degrees(np.arctan2(15, 150))
    wanted = {
        "left_elbow": 90, "right_elbow": 180, "left_knee": 180, "right_knee": 90, "left_hip": hip, "right_hip": hip,
        "left_shoulder": 270 - hip, "right_shoulder": 270 - hip,
    }  # fmt: skip
    if "left_big_toe" in skeleton.parts:
        wanted |= {"left_ankle": 90, "right_ankle": 90}
    else:
        assert np.isnan([angles["left_ankle"], angles["right_ankle"]]).all()
    assert {name: angles[name] for name in wanted} == pytest.approx(wanted, abs=1e-3)
    assert (body.shoulder_width_px[0], body.hip_width_px[0], body.torso_length_px[0]) == pytest.approx((80, 50, 150))
    assert body.lean_deg[0] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("shift", "lean_deg"),
    [((0, -100), 0), ((100, 0), 90), ((-100, 0), -90), ((100, -100), 45), ((0, 100), 180)],
    ids=["upright", "lying-right", "lying-left", "leaning", "head-down"],
)
def test_lean(shift: tuple[float, float], lean_deg: float) -> None:
    hips = {"left_hip": (110, 200), "right_hip": (90, 200)}
    shoulders = {f"{side}_shoulder": (x + shift[0], 200 + shift[1]) for side, x in (("left", 110), ("right", 90))}
    assert abs(measure(people(hips | shoulders)).lean_deg[0]) == pytest.approx(abs(lean_deg), abs=1e-3)
    if abs(lean_deg) < 180:
        assert measure(people(hips | shoulders)).lean_deg[0] == pytest.approx(lean_deg, abs=1e-3)


def test_everybody_at_once_and_each_alone() -> None:
    seated = STANDING | {"left_knee": (225, 250), "right_knee": (175, 250)}
    both = measure(people(STANDING, seated))
    for i, person in enumerate((STANDING, seated)):
        alone = measure(people(person))
        for name in ANGLES:
            np.testing.assert_array_equal(both.angle_deg[name][i], alone.angle_deg[name][0])
        np.testing.assert_array_equal(both.torso_length_px[i], alone.torso_length_px[0])
    assert len(both) == 2


def test_nobody() -> None:
    nobody = measure(Poses.empty(COCO17))
    assert len(nobody) == 0
    assert nobody.to_dict() == []
    assert {values.shape for values in nobody.angle_deg.values()} == {(0,)}


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        ("left_wrist", {"left_elbow_deg"}),
        ("right_ankle", {"right_knee_deg"}),
        ("left_elbow", {"left_elbow_deg", "left_shoulder_deg"}),
        (
            "left_hip",
            {"left_shoulder_deg", "left_hip_deg", "left_knee_deg", "hip_width_px", "torso_length_px", "lean_deg"},
        ),
    ],
)
def test_what_is_not_seen_is_not_measured(missing: str, lost: set[str]) -> None:
    always = {"left_ankle_deg", "right_ankle_deg"}  # without toes
    person = {part: place for part, place in STANDING.items() if part != missing}
    (measured,) = measure(people(person)).to_dict()
    assert {name for name, value in measured.items() if value is None} == lost | always
    json.dumps(measured)


def test_what_is_unsure_is_not_measured() -> None:
    poses = people(STANDING, score=0.4)
    assert np.isnan(measure(poses, min_score=0.5).shoulder_width_px[0])
    assert measure(poses, min_score=0.4).shoulder_width_px[0] == 80


def test_keypoints_in_one_place_have_no_angle() -> None:
    body = measure(people(STANDING | {"left_wrist": STANDING["left_elbow"]}))
    assert np.isnan(body.angle_deg["left_elbow"][0])
    folded = dict.fromkeys(STANDING, (10.0, 10.0))
    assert np.isnan(measure(people(folded)).lean_deg[0])


def test_other_things_than_people() -> None:
    with pytest.raises(ConfigError, match="hand21 has no shoulders"):
        measure(Poses.empty(HAND21))


@given(turn=st.floats(-3, 3), scale=st.floats(0.2, 8), dx=st.floats(-500, 500), dy=st.floats(-500, 500))
def test_angles_stay_and_lengths_scale(turn: float, scale: float, dx: float, dy: float) -> None:
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = {part: tuple(matrix @ place + (dx, dy)) for part, place in STANDING.items()}
    before, after = measure(people(STANDING)), measure(people(moved))
    for name in ("left_elbow", "left_hip", "right_knee"):
        assert after.angle_deg[name][0] == pytest.approx(before.angle_deg[name][0], abs=0.2)
    assert after.torso_length_px[0] == pytest.approx(scale * 150, rel=1e-3)
