"""The pose message: what its schema promises holds for every result there can be."""

from __future__ import annotations

import json
import re

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.people import a_frame, a_run, any_poses, people_at
from trt_pose_app import message
from trt_pose_app.errors import DecodeError, SinkError
from trt_pose_app.message import boot_id, clock_synced, encode, pose_message, timestamp
from trt_pose_app.skeleton import COCO17
from trt_pose_app.types import Poses, Timings

VALIDATOR = jsonschema.Draft202012Validator(message.schema())
TIMINGS = Timings(4.1234, 0.4, 8.9, 0.06, 15.2, seq=7, dropped=3)


def test_the_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(message.schema())


def test_a_message_in_full():
    frame = a_frame(index=1234, size=(1280, 720), pts_s=41.1333333333)
    result = json.loads(encode(pose_message(a_run(), frame, people_at((600, 400), track=7), TIMINGS)))
    VALIDATOR.validate(result)
    (person,) = result.pop("people")
    assert result.pop("clock_synced") in (True, False, None)
    assert result == {
        "schema": "trt-pose/poses/1",
        "device": "jetson-01",
        "camera": "cam0",
        "source": "csi://0",
        "boot_id": "5f2c",
        "seq": 7,
        "frame": 1234,
        "ts": "2026-11-20T12:00:41.133333Z",
        "mono_ns": 141133333333,
        "pts_s": 41.133333,
        "dropped": 3,
        "width": 1280,
        "height": 720,
        "model": "pose-nano@3fa91c02",
        "skeleton": "coco17",
        "backend": "onnxruntime-cpu",
        "latency_ms": {"capture": 4.12, "preprocess": 0.4, "infer": 8.9, "decode": 0.06, "total": 15.2},
    }
    assert person["id"] == 7
    assert person["score"] == 0.9
    assert person["keypoints"][:6] == [600.0, 331.0, 0.8, 603.6, 327.4, 0.8]
    assert person["bbox"] == [572.4, 327.4, 55.2, 150.0]


@given(any_poses(), st.none() | st.floats(-1, 1e6))
@settings(max_examples=60, deadline=None)
def test_every_result_makes_a_valid_message(poses: Poses, pts_s: float | None):
    line = encode(pose_message(a_run(), a_frame(pts_s=pts_s), poses, TIMINGS))
    assert "\n" not in line
    assert line.isascii()
    result = json.loads(line, parse_constant=pytest.fail)  # NaN and Infinity are not JSON
    VALIDATOR.validate(result)
    assert len(result["people"]) == len(poses)
    for i, person in enumerate(result["people"]):
        triples = np.reshape(person["keypoints"], (-1, 3))
        assert len(triples) == len(poses.skeleton)
        assert ((triples[:, 2] == 0) == (poses.score[i] == 0)).all()
        assert not triples[triples[:, 2] == 0].any()
        assert person.get("id", -1) == poses.track[i]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("people", 0, "keypoints"), [1.0, 2.0, 0.5] * 16),  # a part too few for coco17
        (("people", 0, "score"), 1.5),
        (("people", 0, "id"), -1),
        (("people", 0, "bbox"), [1, 2, 3]),
        (("ts",), "2026-11-20T12:00:00Z"),
        (("schema",), "trt-pose/poses/2"),
        (("mono_ns",), 1.5),
    ],
)
def test_the_schema_refuses(path: tuple[str | int, ...], value: object):
    result = pose_message(a_run(), a_frame(), people_at((100, 100), track=1), TIMINGS)
    VALIDATOR.validate(result)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(result)


@pytest.mark.parametrize("name", message.schema()["required"])
def test_the_schema_asks_for_every_field(name: str):
    result = pose_message(a_run(), a_frame(), people_at(), TIMINGS)
    del result[name]
    assert not VALIDATOR.is_valid(result)


def test_the_schema_lets_later_fields_pass():
    result = pose_message(a_run(), a_frame(), people_at((9, 9)), TIMINGS)
    result["later"] = result["people"][0]["later"] = 1
    VALIDATOR.validate(result)


def test_a_picture_names_its_own_file():
    assert pose_message(a_run(source="photos/"), a_frame(source="photos/a.jpg"), people_at(), TIMINGS)["source"] == (
        "photos/a.jpg"
    )


@pytest.mark.parametrize(
    ("wall_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),  # a board without a battery, before NTP
        (1_795_176_000.0, "2026-11-20T12:00:00.000000Z"),
        (1_795_176_000.123456, "2026-11-20T12:00:00.123456Z"),
    ],
)
def test_timestamps_have_microseconds_and_a_z(wall_s: float, text: str):
    assert timestamp(wall_s) == text


@pytest.mark.parametrize("name", ["xy", "box", "person"])
def test_infinity_never_gets_as_far_as_a_message(name: str):
    poses = people_at((50, 50))
    arrays = {key: np.array(getattr(poses, key)) for key in ("xy", "score", "person", "box", "track")}
    arrays[name].flat[0] = np.inf
    with pytest.raises(DecodeError):
        Poses(**arrays, skeleton=COCO17)
    with pytest.raises(SinkError, match="not finite"):
        encode(pose_message(a_run(), a_frame(), Poses.trusted(**arrays, skeleton=COCO17), TIMINGS))


def test_boot_id_is_new_with_every_start():
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", boot_id())
    assert boot_id() != boot_id()


def test_the_clock_is_known_to_be_right_or_not_or_unknown():
    assert clock_synced() in (True, False, None)
