"""Pictures: order, orientation, damage; and what is said of paths that are not there."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import ConfigError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources import open_source
from trt_pose_app.sources.images import jpeg_cut_short
from trt_pose_app.sources.natural import natural_key


def jpeg(level: int, *, orientation: int | None = None) -> bytes:
    """A 48 x 32 picture, dark but for its left third, as JPEG with an EXIF orientation."""
    image = np.full((32, 48, 3), level, np.uint8)
    image[:, :16] = 255
    data = bytes(cv2.imencode(".jpg", image)[1])
    if orientation is None:
        return data
    tiff = b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in (10, 2, 1):
        (tmp_path / f"shot{number}.jpg").write_bytes(jpeg(number * 10))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize("uri", ["{}", "{}/", "{}/*.jpg", "{}/shot*", "file://{}"])
def test_folders_and_globs_count_as_people_do(pictures: Path, uri: str) -> None:
    with open_source(uri.format(pictures)) as source:
        frames = list(source)
    assert [Path(frame.source).name for frame in frames] == ["shot1.jpg", "shot2.jpg", "shot10.jpg"]
    assert [int(frame.image[0, -1, 0]) for frame in frames] == pytest.approx([10, 20, 100], abs=3)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert source.info.frames == 3
    assert not source.info.live


def test_natural_order() -> None:
    names = ["b", "a10", "a2", "a2b", "1", "01", "x.10.2", "x.9.3"]
    ordered = [path.name for path in sorted(map(Path, names), key=natural_key)]
    assert ordered == ["1", "01", "a2", "a2b", "a10", "b", "x.9.3", "x.10.2"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "shot.jpg"
    path.write_bytes(jpeg(0, orientation=orientation))
    plain = cv2.imdecode(np.frombuffer(jpeg(0), np.uint8), cv2.IMREAD_COLOR)
    # The table of the EXIF standard: what to do to the stored picture.
    upright: dict[int, NDArray[np.uint8]] = {
        1: plain, 2: plain[:, ::-1], 3: plain[::-1, ::-1], 4: plain[::-1], 5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1), 7: plain.transpose(1, 0, 2)[::-1, ::-1], 8: np.rot90(plain),
    }  # fmt: skip
    with open_source(str(path)) as source:
        assert (source.info.width, source.info.height) == ((48, 32) if orientation < 5 else (32, 48))
        (frame,) = source
    np.testing.assert_array_equal(frame.image, upright[orientation])


def test_damaged_pictures_of_a_folder_are_skipped_and_named(pictures: Path, caplog: pytest.LogCaptureFixture) -> None:
    (pictures / "shot2.jpg").write_bytes(b"not a picture")
    (pictures / "shot3.jpg").write_bytes(jpeg(30)[:-40])
    (pictures / "shot4.jpg").write_bytes(b"")
    (pictures / "shot5.jpg").mkdir()
    with open_source(str(pictures)) as source, caplog.at_level(logging.WARNING):
        assert [Path(frame.source).name for frame in source] == ["shot1.jpg", "shot10.jpg"]
    assert source.skipped == 4
    for number in (2, 3, 4, 5):
        assert f"shot{number}.jpg" in caplog.text


def test_a_folder_without_one_good_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not a picture")
    with open_source(str(tmp_path)) as source, pytest.raises(SourceLostError, match="none of the 1 pictures"):
        source.read(1)


@pytest.mark.parametrize("data", [b"not a picture", jpeg(9)[:-30]], ids=["no picture", "cut off"])
def test_a_damaged_picture_given_by_name_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(SourceLostError, match=r"a\.jpg"):
        open_source(str(tmp_path / "a.jpg"))


def test_a_jpeg_is_whole_up_to_its_end_marker() -> None:
    whole = jpeg(50, orientation=1)
    start_of_pixels = whole.index(b"\xff\xda")
    assert not jpeg_cut_short(whole)
    assert not jpeg_cut_short(whole + b"trailer of a phone")
    assert jpeg_cut_short(whole[:-2])
    assert jpeg_cut_short(whole[: start_of_pixels + 20])
    assert not jpeg_cut_short(b"\x89PNG")


def test_loop_starts_again(pictures: Path) -> None:
    with open_source(str(pictures), SourceConfig(loop=True)) as source:
        frames = [source.read(1) for _ in range(7)]
    assert [frame.index for frame in frames if frame] == list(range(7))
    assert {Path(frame.source).name for frame in frames[3:6] if frame} == {"shot1.jpg", "shot2.jpg", "shot10.jpg"}


def test_a_closed_source_has_ended(pictures: Path) -> None:
    for uri in (str(pictures), str(pictures / "shot1.jpg")):
        source = open_source(uri)
        source.close()
        source.close()
        assert source.read(1) is None


def test_a_common_suffix_is_no_likeness(pictures: Path) -> None:
    (pictures / "out.mp4").touch()
    with pytest.raises(ConfigError, match=r"nothere\.mp4") as caught:
        open_source(str(pictures / "nothere.mp4"))
    assert "did you mean" not in caught.value.hint


def test_paths_that_do_not_work_are_told_at_once(pictures: Path) -> None:
    (pictures / "empty").mkdir()
    (pictures / "nothing.mp4").touch()
    for path, message, hint in [
        ("shot1.jpeg", "no such file", "shot1.jpg"),
        ("nowhere/clip.mp4", "no such file", "no folder"),
        ("empty", "holds no pictures", ".jpg"),
        ("*.png", "no picture matches", "ls"),
        ("nothing.mp4", "is empty", "again"),
    ]:
        with pytest.raises(ConfigError, match=message) as caught:
            open_source(str(pictures / path))
        assert hint in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(pictures: Path) -> None:
    (pictures / "shot1.jpg").chmod(0)
    with pytest.raises((ConfigError, SourceUnavailableError), match="may not be read"):
        open_source(str(pictures / "shot1.jpg"))


def test_deep_and_grey_pictures_come_as_bgr(tmp_path: Path) -> None:
    grey = np.full((8, 8), 30_000, np.uint16)
    for suffix in ("png", "tiff"):
        path = tmp_path / f"deep.{suffix}"
        assert cv2.imwrite(str(path), grey)
        with open_source(str(path)) as source:
            (frame,) = source
        assert frame.image.shape == (8, 8, 3)
        assert frame.image.max() == pytest.approx(30_000 / 257, abs=1)
