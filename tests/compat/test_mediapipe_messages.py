"""`landmark_pb2`: what programs do with MediaPipe's messages works with these, protobuf's JSON writer included."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson

from trt_pose_app.compat.mediapipe.framework.formats import landmark_pb2 as pb
from trt_pose_app.errors import TrtPoseError


@pytest.fixture
def point() -> pb.NormalizedLandmark:
    return pb.NormalizedLandmark(x=0.1, y=1, z=0.0)


def test_fields_are_set_or_not(point: pb.NormalizedLandmark) -> None:
    assert [point.HasField(name) for name in ("x", "z", "visibility", "presence")] == [True, True, False, False]
    assert point.visibility == 0.0
    point.visibility = 0.5
    assert point.HasField("visibility")
    point.ClearField("visibility")
    assert not point.HasField("visibility")
    assert point.visibility == 0.0


def test_numbers_are_single_precision(point: pb.NormalizedLandmark) -> None:
    assert point.x == 0.10000000149011612


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda m: m.HasField("w"), ValueError),
        (lambda m: m.ClearField("w"), ValueError),
        (lambda m: setattr(m, "w", 1), AttributeError),
        (lambda m: setattr(m, "x", "left"), TypeError),
        (lambda m: setattr(m, "x", None), TypeError),
        (lambda m: pb.NormalizedLandmark(w=1), ValueError),
        (lambda m: hash(m), TypeError),
        (lambda m: pb.NormalizedLandmarkList().HasField("landmark"), ValueError),
        (lambda m: setattr(pb.NormalizedLandmarkList(), "landmark", []), AttributeError),
        (lambda m: setattr(pb.NormalizedLandmarkList(), "landmarks", []), AttributeError),
        (lambda m: pb.NormalizedLandmarkList().landmark.append(3), TypeError),
        (lambda m: pb.NormalizedLandmarkList(landmark=[3]), TypeError),
        (lambda m: pb.NormalizedLandmarkList(landmark=[pb.Landmark()]), TypeError),
    ],
)
def test_mistakes_are_protobufs(
    attempt: Callable[[pb.NormalizedLandmark], object], error: type[Exception], point: pb.NormalizedLandmark
) -> None:
    with pytest.raises(error) as caught:
        attempt(point)
    if isinstance(caught.value, TrtPoseError):
        assert caught.value.hint


def test_text_is_protobufs(point: pb.NormalizedLandmark) -> None:
    assert str(point) == repr(point) == "x: 0.1\ny: 1\nz: 0\n"
    both = pb.NormalizedLandmarkList(landmark=[point, pb.NormalizedLandmark(x=1e-9, y=123456.789, visibility=0.5)])
    assert str(both) == (
        "landmark {\n  x: 0.1\n  y: 1\n  z: 0\n}\n"
        "landmark {\n  x: 1e-09\n  y: 123456.789\n  visibility: 0.5\n}\n"
    )  # fmt: skip


def test_lists_copy_what_they_take(point: pb.NormalizedLandmark) -> None:
    points = pb.NormalizedLandmarkList(landmark=[point])
    points.landmark.extend([point])
    points.landmark.append(point)
    points.landmark.insert(0, point)
    added = points.landmark.add(x=0.25)
    point.x = 0.9
    assert [p.x for p in points.landmark[:4]] == [pytest.approx(0.1)] * 4
    added.y = 0.75
    assert points.landmark[-1] == pb.NormalizedLandmark(x=0.25, y=0.75)
    del points.landmark[:]
    assert len(points.landmark) == 0


def test_lists_are_true_even_when_empty() -> None:
    assert pb.NormalizedLandmarkList()
    assert not pb.NormalizedLandmarkList().landmark


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies(copied: Callable[[object], pb.LandmarkList], point: pb.NormalizedLandmark) -> None:
    points = pb.NormalizedLandmarkList(landmark=[point])
    other = copied(points)
    assert other == points
    other.landmark[0].x = 0.5
    other.landmark.add(y=1)
    assert (len(points.landmark), points.landmark[0].x) == (1, pytest.approx(0.1))
    fresh = pb.NormalizedLandmarkList()
    fresh.CopyFrom(points)
    assert fresh == points
    assert fresh != pb.LandmarkList()


def test_json(point: pb.NormalizedLandmark) -> None:
    points = pb.NormalizedLandmarkList(landmark=[point, pb.NormalizedLandmark(visibility=0.9)])
    wanted = {"landmark": [{"x": 0.1, "y": 1.0, "z": 0.0}, {"visibility": 0.9}]}
    assert MessageToDict(points) == MessageToDict(points, preserving_proto_field_name=True) == wanted
    assert MessageToJson(point).split() == ["{", '"x":', "0.1,", '"y":', "1.0,", '"z":', "0.0", "}"]
    everything = MessageToDict(pb.LandmarkList(), always_print_fields_with_no_presence=True)
    assert everything == {"landmark": []}
