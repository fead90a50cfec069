"""Frames for calibration: from a folder, a picture, a video, or the project's own sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from converters.frames import calibration_frames  # noqa: E402  # after the check for OpenCV
from trt_pose_app.errors import ConfigError, SourceError  # noqa: E402

SAMPLE = Path(__file__).parents[2] / "scripts/sample"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven grey pictures; number i has the shade 20 i. And a text."""
    for i in range(11):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((8, 12, 3), 20 * i, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize(
    ("count", "shades"), [(3, [0, 100, 200]), (1, [0]), (11, range(0, 220, 20)), (99, range(0, 220, 20))]
)
def test_a_folder_is_spread_evenly(folder: Path, count: int, shades: list[int]) -> None:
    assert [int(frame[0, 0, 0]) for frame in calibration_frames(folder, count)] == list(shades)


def test_one_picture_is_one_frame(folder: Path) -> None:
    (frame,) = calibration_frames(folder / "7.png", 5)
    assert frame.shape == (8, 12, 3)
    assert frame.dtype == np.uint8


def test_a_video_is_spread_evenly() -> None:
    pytest.importorskip("av")
    frames = calibration_frames(SAMPLE / "people.mp4", 4)
    assert len(frames) == 4
    assert not np.array_equal(frames[0], frames[1])


def test_without_a_path_there_are_views_of_the_sample() -> None:
    frames = calibration_frames(None, 5)
    assert len({frame.tobytes() for frame in frames}) == 5
    assert all(np.array_equal(a, b) for a, b in zip(frames, calibration_frames(None, 5)))


@pytest.mark.parametrize("name", ["absent", "empty", "notes.txt"])
def test_what_holds_no_pictures_is_told(folder: Path, name: str) -> None:
    if name == "notes.txt":
        pytest.importorskip("av")  # which looks for a video in it
    (folder / "empty").mkdir()
    with pytest.raises((ConfigError, SourceError)):
        calibration_frames(folder / name, 3)


def test_no_frames_are_no_calibration() -> None:
    with pytest.raises(ConfigError):
        calibration_frames(None, 0)
