"""Annotated pictures: their names, their formats, and that none is ever half written or written over its source."""

from __future__ import annotations

import resource
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.people import a_frame, a_run, people_at
from trt_pose_app.config.schema import Config, DrawConfig
from trt_pose_app.draw import draw_poses
from trt_pose_app.errors import ConfigError, SinkError
from trt_pose_app.sinks import open_sink
from trt_pose_app.types import Frame, Timings


def emit_all(uri: Path | str, *frames: Frame) -> None:
    sink = open_sink(str(uri), a_run(), Config())
    for frame in frames:
        sink.emit(frame, people_at((160, 120)), Timings())
    sink.close()


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_png_is_exactly_the_drawn_frame(tmp_path: Path):
    emit_all(tmp_path / "out.png", a_frame())
    expected = draw_poses(a_frame().image, people_at((160, 120)), DrawConfig())
    assert np.array_equal(cv2.imread(str(tmp_path / "out.png")), expected)


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg", "OUT.JPG"])
def test_a_jpeg_is_nearly_the_drawn_frame(tmp_path: Path, name: str):
    emit_all(tmp_path / name, a_frame())
    assert (tmp_path / name).read_bytes()[:3] == b"\xff\xd8\xff"
    expected = draw_poses(a_frame().image, people_at((160, 120)), DrawConfig())
    assert np.abs(cv2.imread(str(tmp_path / name)).astype(int) - expected).mean() < 4


def test_one_picture_is_the_first_at_once_and_the_last_at_the_end(tmp_path: Path):
    path = tmp_path / "out.png"
    sink = open_sink(str(path), a_run(), Config())
    for i in range(5):
        sink.emit(a_frame(i), people_at(), Timings())
        assert np.array_equal(cv2.imread(str(path)), a_frame(0).image)
    sink.close()
    assert np.array_equal(cv2.imread(str(path)), a_frame(4).image)
    assert names(tmp_path) == ["out.png"]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        # pictures keep their names
        ([{"source": "photos/dog.png"}, {"source": "photos/cat.jpg"}], ["cat.jpg", "dog.jpg"]),
        # two of one name are both kept
        ([{"source": "a/x.jpg"}, {"source": "b/x.jpg"}, {"source": "a/x.png"}], ["x-1.jpg", "x-2.jpg", "x.jpg"]),
        # video frames are numbered, whatever the video is called
        ([{"source": "film.mp4", "pts_s": 0.0}, {"source": "film.mp4", "pts_s": 0.1}], ["000000.jpg", "000001.jpg"]),
        ([{"source": "csi://0"}, {"source": "rtsp://host/a.jpg", "pts_s": 0.1}], ["000000.jpg", "000001.jpg"]),
    ],
)
def test_names_in_a_folder(tmp_path: Path, frames: list[dict], expected: list[str]):
    emit_all(f"{tmp_path}/new/", *(a_frame(i, **changes) for i, changes in enumerate(frames)))
    assert names(tmp_path / "new") == expected


def test_names_of_ones_own(tmp_path: Path):
    emit_all(tmp_path / "new" / "frame-%04d.png", a_frame(7), a_frame(12))
    assert names(tmp_path) == ["new/frame-0007.png", "new/frame-0012.png"]


def test_a_source_is_never_written_over(tmp_path: Path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="source itself"):
        emit_all(f"{tmp_path}/", a_frame(source=str(photo)))
    assert photo.read_bytes() == b"precious"


def test_a_full_disk_leaves_no_half_picture(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SinkError, match="File too large"):
            open_sink(f"{tmp_path}/%d.jpg", a_run(), Config()).emit(a_frame(), people_at(), Timings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


def test_a_picture_too_large_for_its_format_is_an_error(tmp_path: Path):
    wide = a_frame(size=(65_501, 1))
    with pytest.raises(SinkError, match="cannot encode"):
        emit_all(tmp_path / "%d.jpg", wide)
    emit_all(tmp_path / "%d.png", wide)
    assert names(tmp_path) == ["0.png"]
