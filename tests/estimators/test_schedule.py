"""Which frames networks look at: by their number, from the first frame of each source."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from trt_pose_app.estimators.schedule import Look, Schedule
from trt_pose_app.types import Frame

SHORT = {Look.WHOLE: "D", Look.REGIONS: "r", Look.CARRY: "."}  # as the detector, regions, carried


def frames(count: int, source: str = "a.mp4", side: int = 4) -> list[Frame]:
    return [Frame(np.zeros((side, side, 3), np.uint8), i, i / 30, 0.0, source) for i in range(count)]


def looks(schedule: Schedule, shown: Iterable[Frame]) -> str:
    return "".join(SHORT[schedule.next(frame)] for frame in shown)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ((1, 1), "DDDDDDDD"),
        ((4, 1), "D...D...D...D"),
        ((1, 4), "DrrrDrrrDrrrD"),
        ((4, 8), "D...r...D...r...D"),
        ((4, 10), "D...r...r...D...r...D...r...r...D"),  # the first inferred frame at or after 10, 20, 30
        ((10, 4), "D.........D.........D"),  # a detector cannot rest less than the networks do
    ],
)
def test_gaps_count_frames(gaps: tuple[int, int], expected: str) -> None:
    assert looks(Schedule(*gaps), frames(len(expected))) == expected


def test_six_detections_in_sixty_frames() -> None:
    assert looks(Schedule(1, 10), frames(60)).count("D") == 6
    assert looks(Schedule(4, 10), frames(60)).count("D") == 6


@pytest.mark.parametrize(
    "second",
    [frames(5, "b.mp4"), frames(5, side=8), frames(5)],
    ids=["another source", "another size", "the file again"],
)
def test_whatever_is_not_the_next_frame_of_a_source_is_a_first_one(second: list[Frame]) -> None:
    assert looks(Schedule(4, 8), [*frames(6), *second]) == "D...r." + "D...r"


def test_every_picture_of_a_folder_is_a_first_one() -> None:
    assert looks(Schedule(4, 8), [frames(1, f"{i}.jpg")[0] for i in range(5)]) == "DDDDD"


def test_pictures_without_a_place_in_time_are_counted() -> None:
    picture = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0, 0.0, "array")
    assert looks(Schedule(4, 8), [picture] * 9) == "D...r...D"
