"""Video files: every frame, upright, with its own time; and files that are damaged say so."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import SourceLostError, SourceUnavailableError
from trt_pose_app.sources import open_source
from trt_pose_app.sources.container import cut_short
from trt_pose_app.types import Frame

from .conftest import ffmpeg

N_FRAMES = 50


@pytest.mark.parametrize("name", ["plain.mp4", "fast.mp4", "fragmented.mp4", "plain.mkv", "plain.flv", "plain.ts"])
def test_every_frame_of_every_container(clips: Path, name: str) -> None:
    with open_source(str(clips / name)) as source:
        frames = list(source)
    assert len(frames) == N_FRAMES
    assert source.skipped == source.dropped == 0
    assert (source.info.width, source.info.height, source.info.fps) == (160, 96, pytest.approx(25))
    assert not source.info.live
    times = [frame.pts_s for frame in frames if frame.pts_s is not None]
    assert np.diff(times) == pytest.approx(np.full(N_FRAMES - 1, 0.04), abs=1e-3)
    assert [frame.index for frame in frames] == list(range(N_FRAMES))
    assert {frame.source for frame in frames} == {str(clips / name)}


@pytest.mark.parametrize("name", ["plain.mp4", "rotated-90.mp4", "rotated-180.mp4", "rotated-270.mp4"])
def test_frames_are_upright_as_in_ffmpeg(clips: Path, name: str) -> None:
    command = ["ffmpeg", "-v", "error", "-i", name, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    raw = subprocess.run(command, cwd=clips, capture_output=True, check=True, timeout=30).stdout
    with open_source(str(clips / name)) as source:
        height, width = source.info.height, source.info.width
        upright = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
        for frame, expected in zip(source, upright, strict=True):
            # its colour conversion rounds differently
            assert np.abs(frame.image.astype(int) - expected).mean() < 3


def test_times_of_a_variable_rate_come_from_the_file(clips: Path) -> None:
    with open_source(str(clips / "vfr.mp4")) as source:
        times = [frame.pts_s for frame in source]
    assert times[:12] == pytest.approx([*(n / 25 for n in range(10)), 30 / 25, 33 / 25], abs=1e-3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("name", ["fast.mp4", "fragmented.mp4", "plain.mkv", "plain.flv"])
def test_a_truncated_file_gives_what_it_has_and_says_so(clips: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (clips / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    frames: list[Frame] = []
    with open_source(str(tmp_path / name)) as source:
        with pytest.raises(SourceLostError, match="truncated") as caught:
            frames.extend(source)
        assert 0 < len(frames) < N_FRAMES
        assert f"{len(frames)} frames" in caught.value.message
        with pytest.raises(SourceLostError):  # asked again it does not become an ordinary end
            source.read(1)


def test_an_mp4_without_its_index_is_truncated_from_the_start(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes((clips / "plain.mp4").read_bytes()[:9_000])
    with pytest.raises(SourceLostError, match="truncated: 0 frames"):
        open_source(str(tmp_path / "cut.mp4"))


@pytest.mark.parametrize("name", ["plain.mp4", "fast.mp4", "fragmented.mp4", "plain.mkv", "plain.ts"])
def test_whole_files_are_not_called_short(clips: Path, tmp_path: Path, name: str) -> None:
    assert not cut_short(clips / name)
    if not name.endswith(".ts"):  # a transport stream may be cut anywhere and has no size to compare
        (tmp_path / name).write_bytes((clips / name).read_bytes()[:-1])
        assert cut_short(tmp_path / name)


@pytest.mark.parametrize("length", [0, 1, 4, 7, 8, 12, 16, 40])
@pytest.mark.parametrize("head", [b"\0\0\0\x08ftyp", b"\0\0\0\x01mdat", b"\0\0\0\0mdat", b"\x1a\x45\xdf\xa3", b"text"])
def test_the_structure_of_stubs_is_read_without_an_error(tmp_path: Path, head: bytes, length: int) -> None:
    path = tmp_path / "stub"
    path.write_bytes((head + bytes(40))[:length])
    assert cut_short(path) in (True, False)


def test_a_damaged_middle_is_skipped_and_counted(clips: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = bytearray((clips / "fast.mp4").read_bytes())
    start = len(data) // 2
    data[start : start + 4000] = np.random.default_rng(0).bytes(4000)
    (tmp_path / "damaged.mp4").write_bytes(data)
    with open_source(str(tmp_path / "damaged.mp4")) as source, caplog.at_level(logging.WARNING):
        frames = list(source)
    assert source.skipped > 0
    assert len(frames) + source.skipped == N_FRAMES
    assert frames[-1].pts_s == pytest.approx(49 / 25)
    assert f"{source.skipped} damaged frames" in caplog.text


@pytest.mark.parametrize(
    ("name", "message"),
    [("sound.mp4", "no video stream"), ("no-frames.mp4", "no video stream|no frame"), ("text.mp4", "no video")],
)
def test_what_is_no_video_is_told_at_once(clips: Path, tmp_path: Path, name: str, message: str) -> None:
    path = clips / name
    if name == "text.mp4":
        path = tmp_path / name
        path.write_text("This is not a video. " * 100)
    with pytest.raises(SourceUnavailableError, match=message):
        open_source(str(path))


def test_loop_goes_on_with_rising_times(clips: Path) -> None:
    with open_source(str(clips / "plain.mp4"), SourceConfig(loop=True)) as source:
        frames = [source.read(1) for _ in range(2 * N_FRAMES + 5)]
    times = [frame.pts_s for frame in frames if frame is not None and frame.pts_s is not None]
    assert np.diff(times) == pytest.approx(np.full(len(frames) - 1, 0.04), abs=1e-3)
    first, again = frames[0], frames[N_FRAMES]
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.image, again.image)
    assert source.info.frames is None


def test_odd_file_names(clips: Path, tmp_path: Path) -> None:
    for name in ("a:b.mp4", "50%03d [x].mp4", "Zürich ü.mp4"):
        shutil.copy(clips / "plain.mp4", tmp_path / name)
        with open_source(str(tmp_path / name)) as source:
            assert source.read(1) is not None


def test_a_picture_size_that_changes_midway(clips: Path, tmp_path: Path) -> None:
    ffmpeg(tmp_path, "-i", str(clips / "plain.mp4"), "-vf", "scale=320:192", "-c:v", "libx264", "wide.ts")
    (tmp_path / "both.ts").write_bytes((clips / "plain.ts").read_bytes() + (tmp_path / "wide.ts").read_bytes())
    with open_source(str(tmp_path / "both.ts")) as source:
        sizes = [(frame.width, frame.height) for frame in source]
    assert set(sizes) == {(160, 96), (320, 192)}


def test_closing_ends_the_frames(clips: Path) -> None:
    source = open_source(str(clips / "plain.mp4"))
    assert source.read(1) is not None
    source.close()
    source.close()
    assert source.read(1) is None
