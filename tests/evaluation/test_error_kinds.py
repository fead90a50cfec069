"""Kinds of error after Ronchi and Perona: one hand-made case for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.scenes import figure, note, result, truth_of
from trt_pose_app.evaluation.error_kinds import KINDS, count_errors
from trt_pose_app.evaluation.results import people_by_photo
from trt_pose_app.skeleton import COCO17

ANKLE, OTHER_ANKLE = COCO17.parts.index("left_ankle"), COCO17.parts.index("right_ankle")
ME, NEIGHBOUR = figure(100, 100, 200), figure(250, 100, 200)
AREA = float(np.ptp(ME, axis=0).prod() / 2)
SIGMA = COCO17.sigmas[ANKLE]  # type: ignore[index]


def off_by(similarity: float) -> np.ndarray:
    """An offset at which the ankle has this similarity."""
    return np.array([0.0, np.sqrt(-2 * AREA * (2 * SIGMA) ** 2 * np.log(similarity))])


@pytest.mark.parametrize(
    ("ankle", "kind"),
    [
        (ME[ANKLE], "good"),
        (ME[ANKLE] + off_by(0.86), "good"),
        (ME[ANKLE] + off_by(0.84), "jitter"),
        (ME[ANKLE] + off_by(0.51), "jitter"),
        (ME[ANKLE] + off_by(0.49), "miss"),
        (ME[OTHER_ANKLE] + off_by(0.6), "inversion"),
        (NEIGHBOUR[ANKLE] + off_by(0.6), "swap"),
        (NEIGHBOUR[OTHER_ANKLE], "swap"),  # the mirrored part of somebody else
        (np.array([np.nan, np.nan]), "absent"),
    ],
)
def test_kind_of_one_ankle(tmp_path: Path, ankle: np.ndarray, kind: str) -> None:
    found = ME.copy()
    found[ANKLE] = ankle
    notes = [note(1, ME), note(1, NEIGHBOUR)]
    counts = counted(tmp_path, notes, [result(1, found)])
    assert KINDS[int(counts[ANKLE].argmax())] == kind
    assert counts.sum() == 17
    assert counts[:, KINDS.index("good")].sum() == 16 + (kind == "good")


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [(lambda v: v[0].__setitem__(OTHER_ANKLE, 0), "miss"), (lambda v: v[0].__setitem__(ANKLE, 0), None)],
)
def test_unlabelled_points_neither_excuse_nor_count(
    tmp_path: Path, hidden: Callable[[list[np.ndarray]], None], kind: str | None
) -> None:
    visible = [np.full(17, 2)]
    hidden(visible)
    found = ME.copy()
    found[ANKLE] = ME[OTHER_ANKLE]
    counts = counted(tmp_path, [note(1, ME, visible[0])], [result(1, found)])
    assert counts.sum() == 16
    assert (KINDS[int(counts[ANKLE].argmax())] if counts[ANKLE].any() else None) == kind


def test_a_nose_cannot_be_inverted(tmp_path: Path) -> None:
    found = ME.copy()
    found[0] += 60
    counts = counted(tmp_path, [note(1, ME)], [result(1, found)])
    assert KINDS[int(counts[0].argmax())] == "miss"


def test_people_nobody_found_are_told_apart(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [1], [note(1, ME), note(1, figure(500, 300, 100)), note(1, NEIGHBOUR, iscrowd=1)])
    errors = count_errors(truth, people_by_photo([result(1, ME)], truth))
    assert (errors.found, errors.people) == (1, 2)


def counted(tmp_path: Path, notes: list, results: list) -> np.ndarray:  # type: ignore[type-arg]
    truth = truth_of(tmp_path, [1], notes)
    return count_errors(truth, people_by_photo(results, truth)).counts
