"""Person detectors' outputs to boxes: each format, thresholds, suppression, odd values, refused input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from trt_pose_app.decode.detection import BoxDecoder, DetectionParams
from trt_pose_app.decode.overlap import best_boxes, iou, oks
from trt_pose_app.errors import DecodeError
from trt_pose_app.geometry import Geometry

FRAME = (640, 480)
HALF = Geometry.letterbox(FRAME, (320, 320), centre=False)  # everything at half its size, at the top left
Maps = dict[str, NDArray[Any]]
ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e38, -1e38, 0.5, 1.0, 40.0, -3.0])
FORMATS = ["rtmdet", "split", "yolox", "boxes"]


def outputs(form: str, people: list[tuple[int, int, int, float, tuple[float, float, float, float]]]) -> Maps:
    """Return a detector's outputs for people (stride, cell x, cell y, score, box in input pixels), 2 classes."""
    maps: Maps = {}
    rows = []
    for stride in (8, 16, 32):
        side = 320 // stride
        level = np.zeros((1, side, side, 6), np.float32)
        level[..., :2] = -9
        cells = np.zeros((side, side, 7), np.float32)
        for s, x, y, score, (x0, y0, x1, y1) in people:
            if s != stride:
                continue
            level[0, y, x, 1] = np.log(score / (1 - score))
            level[0, y, x, 2:] = (x * s - x0, y * s - y0, x1 - x * s, y1 - y * s)
            middle, size = ((x0 + x1) / 2 / s - x, (y0 + y1) / 2 / s - y), (x1 - x0, y1 - y0)
            cells[y, x] = (*middle, *np.log(np.array(size) / s), 0.8, 0.3, score / 0.8)
        rows.append(cells.reshape(-1, 7))
        if form == "split":
            maps[f"class{stride}"] = level[..., :2].transpose(0, 3, 1, 2)
            maps[f"box{stride}"] = level[..., 2:].transpose(0, 3, 1, 2)
        elif form == "rtmdet":
            maps[f"level{stride}"] = level
    if form == "yolox":
        maps["boxes"] = np.concatenate(rows)[None]
    elif form == "boxes":
        # Another class comes first and must not be taken for a person.
        maps["boxes"] = np.array([[(0, 0, 9, 9, 0.99), *((*box, score) for *_, score, box in people)]], np.float32)
        maps["labels"] = np.array([[0] + [1] * len(people)], np.int64)
    return maps


def decoder(form: str, **params: Any) -> BoxDecoder:
    return BoxDecoder(DetectionParams("rtmdet" if form == "split" else form, person_class=1, **params))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMATS)
def test_boxes_come_in_frame_pixels_best_first(form: str) -> None:
    people = [(8, 3, 4, 0.5, (10, 20, 30, 60)), (32, 5, 2, 0.9, (100, 40, 220, 200)), (16, 1, 1, 0.2, (0, 0, 5, 5))]
    found = decoder(form).decode(outputs(form, people), HALF)
    np.testing.assert_allclose(found.xyxy, [[200, 80, 440, 400], [20, 40, 60, 120]], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.9, 0.5], atol=1e-5)
    assert found.xyxy.dtype == found.score.dtype == np.float32


@pytest.mark.parametrize("form", FORMATS)
def test_nobody_is_nobody(form: str) -> None:
    found = decoder(form).decode(outputs(form, []), HALF)
    assert len(found) == 0
    assert found.xyxy.shape == (0, 4)


@pytest.mark.parametrize("form", ["rtmdet", "split", "yolox"])
def test_of_two_boxes_around_one_person_the_better_one_stays(form: str) -> None:
    people = [(8, 3, 4, 0.5, (10, 20, 30, 60)), (8, 4, 4, 0.7, (11, 20, 31, 60)), (8, 20, 20, 0.6, (150, 20, 170, 60))]
    found = decoder(form, nms_iou=0.6).decode(outputs(form, people), HALF)
    np.testing.assert_allclose(found.score, [0.7, 0.6], atol=1e-5)
    assert len(decoder(form, nms_iou=0.95).decode(outputs(form, people), HALF)) == 3
    assert len(decoder(form, max_boxes=1).decode(outputs(form, people), HALF)) == 1


def test_a_box_is_cut_at_the_frame_s_border() -> None:
    people = [(8, 0, 0, 0.9, (-20, -20, 30, 60)), (8, 3, 30, 0.9, (10, 250, 30, 300))]  # the second in the padding
    found = decoder("rtmdet").decode(outputs("rtmdet", people), HALF)
    assert found.xyxy.tolist() == [[0, 0, 60, 120]]


def test_labels_may_be_absent_and_no_box_may_be_there_at_all() -> None:
    boxes = np.array([[[1, 2, 30, 40, 0.9]]], np.float32)
    assert len(BoxDecoder(DetectionParams("boxes")).decode({"boxes": boxes}, HALF)) == 1
    empty = {"boxes": np.zeros((1, 0, 5), np.float32), "labels": np.zeros((1, 0), np.int64)}
    assert len(BoxDecoder(DetectionParams("boxes")).decode(empty, HALF)) == 0


@pytest.mark.parametrize("form", FORMATS)
@given(values=arrays(np.float32, 60, elements=ODD.map(np.float32)), threshold=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=40, deadline=None)
def test_any_floats_give_few_finite_boxes_inside_the_frame(
    form: str, values: NDArray[np.float32], threshold: float
) -> None:
    maps = outputs(form, [(8, 3, 4, 0.5, (10, 20, 30, 60))])
    for name, array in maps.items():
        if name != "labels":
            maps[name] = np.resize(values, array.shape)
    found = decoder(form, score_threshold=threshold, max_boxes=20).decode(maps, HALF)
    assert len(found) <= 20
    assert np.isfinite(found.xyxy).all()
    assert (found.xyxy[:, :2] < found.xyxy[:, 2:]).all()
    assert (found.xyxy >= 0).all()
    assert (found.xyxy <= (*FRAME, *FRAME)).all()
    assert ((found.score >= threshold) & (found.score <= 1)).all()


@pytest.mark.parametrize(
    ("form", "change", "reason"),
    [
        ("rtmdet", {"level8": None}, "no output 'level8'"),
        ("rtmdet", {"level8": (1, 40, 40, 4)}, "level8 is"),
        ("split", {"box16": (1, 3, 20, 20)}, "class16 is"),
        ("split", {"class16": (1, 1, 20, 20)}, "class16 is"),
        ("yolox", {"boxes": (1, 2100, 5)}, "boxes is"),
        ("yolox", {"boxes": (1, 99, 7)}, "for an input of 320x320"),
        ("boxes", {"boxes": (1, 3, 4)}, "boxes is"),
        ("boxes", {"boxes": (1, 3, 5)}, "1 labels for 3 boxes"),
        ("boxes", {"boxes": None}, "no output 'boxes'"),
    ],
)
def test_other_shapes_are_refused(form: str, change: dict[str, Any], reason: str) -> None:
    maps = outputs(form, [])
    for name, shape in change.items():
        del maps[name]
        if shape is not None:
            maps[name] = np.ones(shape, np.float32)
    with pytest.raises(DecodeError, match=reason):
        decoder(form).decode(maps, HALF)


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(iou(boxes[0], boxes), [1, 1 / 3, 0, 0], rtol=1e-6)
    assert best_boxes(boxes, np.array([0.1, 0.4, 0.3, 0.2], np.float32), 0.3, 9).tolist() == [1, 2, 3]


def test_similarity_of_poses_is_coco_s() -> None:
    pose = np.array([[0, 0], [10, 10], [np.nan, np.nan]])
    others = np.array(
        [[[0, 0], [10, 10], [5, 5]], [[3, 4], [10, 10], [np.nan] * 2], [[np.nan] * 2, [np.nan] * 2, [1, 1]]]
    )
    found = oks(pose, others, np.full(3, 400.0), np.full(3, 0.1))
    np.testing.assert_allclose(found, [1, (1 + np.exp(-25 / (2 * 400 * 0.04))) / 2, 0], rtol=1e-6)
