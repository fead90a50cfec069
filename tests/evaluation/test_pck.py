"""PCK@0.2: within a fifth of the torso, of the right person, on the keypoints that count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.scenes import Note, Result, figure, note, result, truth_of
from trt_pose_app.evaluation.pck import PckProtocol, count_pck, torso_px
from trt_pose_app.evaluation.results import people_by_photo
from trt_pose_app.skeleton import COCO17, HAND21

TORSO_PX = float(np.linalg.norm(figure()[5] - figure()[12]))
KNEE = COCO17.parts.index("left_knee")


def pck(tmp_path: Path, notes: list[Note], results: list[Result], **protocol: Any) -> tuple[int, int]:
    truth = truth_of(tmp_path, [1], notes)
    counts = count_pck(truth, people_by_photo(results, truth), PckProtocol(**protocol))
    return int(counts.hits.sum()), int(counts.counted.sum())


def moved(part: int, by_torsos: float) -> np.ndarray:
    xy = figure()
    xy[part, 0] += by_torsos * TORSO_PX
    return xy


@pytest.mark.parametrize(("by_torsos", "hits"), [(0.0, 17), (0.19, 17), (0.21, 16), (np.nan, 16)])
def test_the_limit_is_a_fifth_of_the_torso(tmp_path: Path, by_torsos: float, hits: int) -> None:
    found = moved(KNEE, by_torsos)
    found[KNEE] += 0 * by_torsos  # NaN: no point given
    assert pck(tmp_path, [note(1, figure())], [result(1, found)]) == (hits, 17)


def test_a_person_nobody_found_counts_as_missed(tmp_path: Path) -> None:
    assert pck(tmp_path, [note(1, figure())], []) == (0, 17)


def test_one_found_person_serves_one_annotated_person(tmp_path: Path) -> None:
    notes = [note(1, figure()), note(1, figure() + 1)]
    assert pck(tmp_path, notes, [result(1, figure())]) == (17, 34)


def test_without_a_known_torso_a_person_is_left_out(tmp_path: Path) -> None:
    visible = np.full(17, 2)
    visible[[5, 6]] = 0
    assert pck(tmp_path, [note(1, figure(), visible)], [result(1, figure())]) == (0, 0)


def test_sure_keypoints_only(tmp_path: Path) -> None:
    visible = np.full(17, 1)
    visible[:3] = 2
    assert pck(tmp_path, [note(1, figure(), visible)], [], least_visibility=2) == (0, 3)


def test_the_main_person_is_the_one_annotated_by_hand(tmp_path: Path) -> None:
    notes = [note(1, figure(400, 200, 300), source="teacher"), note(1, figure(), source="lsp-extended+teacher")]
    assert pck(tmp_path, notes, [result(1, figure())], main_only=True) == (17, 17)


def test_of_several_by_hand_the_main_person_is_the_largest(tmp_path: Path) -> None:
    notes = [note(1, figure()), note(1, figure(400, 200, 300))]
    assert pck(tmp_path, notes, [result(1, figure())], main_only=True) == (0, 17)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, PckProtocol()), ({"source": "teacher"}, PckProtocol(main_only=True, least_visibility=2))],
)
def test_the_protocol_follows_the_data(tmp_path: Path, changes: Any, expected: PckProtocol) -> None:
    assert PckProtocol.fitting(truth_of(tmp_path, [1], [note(1, figure(), **changes)])) == expected


def test_the_torso_falls_back_to_the_other_diagonal_and_to_the_box() -> None:
    known = np.full(17, True)
    known[5] = False
    xy, box = figure(), np.array([0.0, 0, 30, 80])
    assert torso_px(xy, known, box, COCO17) == pytest.approx(np.linalg.norm(xy[6] - xy[11]))
    assert torso_px(np.zeros((21, 2)), np.full(21, True), box, HAND21) == 40
