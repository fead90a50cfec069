"""Annotated video: complete, in time with its source, and playable where people look at it."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import sys
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path
from queue import Queue
from urllib.parse import parse_qs, urlparse

import av
import numpy as np
import pytest

from tests.people import a_frame, a_run, people_at
from trt_pose_app.config.schema import Config, DrawConfig, VideoConfig
from trt_pose_app.errors import SinkError
from trt_pose_app.sinks import open_sink
from trt_pose_app.types import Frame, Timings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def write(path: Path, frames: list[Frame], config: Config | None = None, **run: object) -> None:
    sink = open_sink(str(path), a_run(**run), config or Config())
    for frame in frames:
        sink.emit(frame, people_at(), Timings())
    sink.close()


def times(path: Path) -> list[float]:
    """Return each frame's time in seconds, as a player has it."""
    with av.open(str(path)) as container:
        return [round(frame.time, 3) for frame in container.decode(video=0)]


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48), **changes: object) -> Frame:
    width, height = size
    return a_frame(image=np.full((height, width, 3), colour, np.uint8), **changes)


def noisy(n_frames: int) -> list[Frame]:
    """Frames that do not compress."""
    noise = np.random.default_rng(0)
    return [a_frame(i, image=noise.integers(0, 255, (120, 160, 3), np.uint8)) for i in range(n_frames)]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "OUT.MP4"])
def test_every_frame_is_in_the_file_with_its_time(tmp_path: Path, name: str):
    write(tmp_path / name, [a_frame(i, pts_s=7 + i / 30) for i in range(45)])
    assert times(tmp_path / name) == pytest.approx([i / 30 for i in range(45)], abs=0.0011)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (320, 240)
        assert stream.average_rate == 30


def test_mp4_has_its_index_in_front(tmp_path: Path):
    write(tmp_path / "out.mp4", [a_frame(i) for i in range(5)])
    data = (tmp_path / "out.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


LOOPED = [0, 0.04, 0.08, 0, 0.04, 0.08]


@pytest.mark.parametrize(
    ("live", "frames", "expected"),
    [
        # uneven times of a phone's video are kept
        (False, [{"pts_s": t} for t in (3, 3.01, 3.1, 3.5)], [0, 0.01, 0.1, 0.5]),
        # a file played again goes on where it ended
        (False, [{"pts_s": t} for t in LOOPED], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),
        # a time stamp given twice
        (False, [{"pts_s": t} for t in (0, 0.04, 0.04, 0.08)], [0, 0.04, 0.08, 0.12]),
        # pictures have no time: one after another at the frame rate
        (False, [{"captured_s": t} for t in (5, 9, 9.5)], [0, 0.04, 0.08]),
        # a camera: time of capture, whatever its stream says; a pause stays a pause
        (True, [{"captured_s": t, "pts_s": p} for t, p in ((5, 0), (5.1, 9), (8, 0), (8.04, 1))], [0, 0.1, 3, 3.04]),
    ],
)
def test_times(tmp_path: Path, live: bool, frames: list[dict], expected: list[float]):
    write(tmp_path / "out.mp4", [a_frame(i, **changes) for i, changes in enumerate(frames)], live=live, fps=25.0)
    assert times(tmp_path / "out.mp4") == expected


@pytest.mark.parametrize("fps", [None, 5.0, 29.97, 30000 / 1001, 59.94, 119.88, 0.5])
def test_any_rate(tmp_path: Path, fps: float | None):
    write(tmp_path / "out.mp4", [a_frame(i) for i in range(4)], fps=fps)
    period = 1 / (fps or 25)
    assert times(tmp_path / "out.mp4") == pytest.approx([i * period for i in range(4)], abs=0.001)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(4 * period, abs=0.001)


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 48), (64, 48)), ((65, 49), (66, 50)), ((64, 47), (64, 48)), ((1, 1), (2, 2))]
)
def test_odd_sizes_grow_by_one_pixel(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]):
    write(tmp_path / "out.mp4", [plain((40, 90, 200), size)])
    (picture,) = pictures(tmp_path / "out.mp4")
    assert picture.shape == (expected[1], expected[0], 3)
    assert np.abs(picture.astype(int) - (40, 90, 200)).max() < 8


def test_a_source_that_changes_its_size_is_fitted_into_the_first(tmp_path: Path):
    sizes = [(320, 240), (240, 320), (640, 240), (16, 12)]
    write(tmp_path / "out.mp4", [plain((255, 255, 255), size, index=i) for i, size in enumerate(sizes)])
    results = [picture.min(axis=2) > 128 for picture in pictures(tmp_path / "out.mp4")]
    assert [result.shape for result in results] == [(240, 320)] * 4
    filled = [(np.count_nonzero(r.any(axis=0)), np.count_nonzero(r.any(axis=1))) for r in results]
    assert filled == pytest.approx(np.array([(320, 240), (180, 240), (320, 120), (320, 240)]), abs=4)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 30), (0, 0, 0), (255, 255, 255)])
def test_colours_survive_and_the_file_says_how_to_read_them(tmp_path: Path, colour: tuple[int, int, int]):
    write(tmp_path / "out.mp4", [plain(colour) for _ in range(2)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        frame = next(container.decode(video=0))
        picture = frame.to_ndarray(format="bgr24")
    assert np.abs(picture.astype(int) - colour).max() < 8


def test_people_are_in_the_picture(tmp_path: Path):
    sink = open_sink(f"{tmp_path}/out.mp4", a_run(), Config())
    frame = plain((128, 128, 128), (320, 240))
    sink.emit(frame, people_at((160, 120), size_px=200), Timings())
    sink.close()
    (picture,) = pictures(tmp_path / "out.mp4")
    assert (np.abs(picture.astype(int) - 128).max(axis=2) > 60).sum() > 500
    assert (frame.image == 128).all()


@pytest.mark.parametrize(("trails_s", "expected"), [(1.0, True), (0.0, False)])
def test_a_trail_shows_where_somebody_has_been(tmp_path: Path, trails_s: float, expected: bool):
    sink = open_sink(f"{tmp_path}/out.mp4", a_run(), Config(draw=DrawConfig(trails_s=trails_s, labels=False)))
    for index in range(10):
        frame = plain((128, 128, 128), (320, 240), index=index)
        sink.emit(frame, people_at((60 + 20 * index, 120), size_px=60, track=3), Timings())
    sink.close()
    last = pictures(tmp_path / "out.mp4")[-1]
    assert (np.abs(last[110:130, 100:180].astype(int) - 128).max() > 60) == expected


def test_quality_is_as_configured(tmp_path: Path):
    sizes = []
    for crf in (18, 40):
        write(tmp_path / f"{crf}.mp4", noisy(10), Config(video=VideoConfig(crf=crf)))
        sizes.append((tmp_path / f"{crf}.mp4").stat().st_size)
    assert sizes[0] > 1.5 * sizes[1]


def test_the_name_is_given_when_the_file_is_complete(tmp_path: Path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"of the last run")
    sink = open_sink(str(path), a_run(), Config())
    for i in range(3):
        sink.emit(a_frame(i), people_at(), Timings())
    assert path.read_bytes() == b"of the last run"
    sink.close()
    assert len(times(path)) == 3
    sink.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_a_killed_run_leaves_a_playable_mkv(tmp_path: Path):
    sink = open_sink(f"{tmp_path}/out.mkv", a_run(), Config())
    for frame in noisy(120):
        sink.emit(frame, people_at(), Timings())
    shutil.copy(tmp_path / "out.mkv.part", tmp_path / "found.mkv")  # what is on disk at this moment
    sink.close()
    assert 30 <= len(times(tmp_path / "found.mkv")) < 120


FULL = """
import resource, sys
from tests.people import a_run, people_at
from tests.sinks.test_video import noisy
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import SinkError
from trt_pose_app.sinks import open_sink
from trt_pose_app.types import Timings

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sink = open_sink(sys.argv[1], a_run(), Config())
try:
    for frame in noisy(100):
        sink.emit(frame, people_at(), Timings())
except SinkError as error:
    print(error)
try:
    sink.close()
except SinkError as error:
    print(error)
sink.close()
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_full_disk_is_an_error_and_keeps_the_old_result(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"of the last run")
    program = subprocess.run(
        [sys.executable, "-c", FULL, f"{tmp_path}/{name}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert program.returncode == 0, program.stderr
    assert f"cannot write {tmp_path}/{name}: File too large" in program.stdout
    assert (tmp_path / name).read_bytes() == b"of the last run"
    # What there is of a Matroska file plays; an mp4 without its index does not and only fills the disk.
    assert [p.name for p in tmp_path.glob("*.part")] == ([f"{name}.part"] if name == "out.mkv" else [])


def test_a_size_that_h264_has_not_is_an_error(tmp_path: Path):
    sink = open_sink(f"{tmp_path}/out.mp4", a_run(), Config())
    with pytest.raises(SinkError, match="cannot encode"):
        sink.emit(plain((0, 0, 0), (40_000, 16)), people_at(), Timings())
    sink.close()  # emit has said it
    assert list(tmp_path.iterdir()) == []


PAGE = b"""<!doctype html><meta charset=utf-8><video id=v muted src=out.mp4></video><script>
const report = (what) => fetch('/report?' + new URLSearchParams(what));
v.onerror = () => report({error: v.error.message});
v.onloadeddata = () => v.play().catch((e) => report({error: '' + e}));
v.onended = () => {
  const c = document.createElement('canvas').getContext('2d');
  c.drawImage(v, 0, 0);
  report({width: v.videoWidth, height: v.videoHeight, duration: v.duration, pixel: c.getImageData(9, 9, 1, 1).data});
};
</script>"""


class PageServer(http.server.SimpleHTTPRequestHandler):
    """Serves the folder, the page, and takes the page's report."""

    def __init__(self, reports: Queue[dict[str, str]], *args: object, **options: object) -> None:
        self.reports = reports
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        url = urlparse(self.path)
        if url.path.startswith("/out"):
            super().do_GET()
            return
        if url.path == "/report":
            self.reports.put({key: value for key, (value,) in parse_qs(url.query).items()})
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE if url.path == "/" else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("size", [(640, 360), (321, 241)])
def test_chromium_plays_it_to_the_end(tmp_path: Path, size: tuple[int, int]):
    write(tmp_path / "out.mp4", [plain((30, 120, 200), size, index=i) for i in range(12)])
    reports: Queue[dict[str, str]] = Queue()
    handler = partial(PageServer, reports, directory=str(tmp_path))
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = subprocess.Popen(
            [
                str(CHROMIUM),
                *flags.split(),
                f"--user-data-dir={tmp_path}/profile",
                "--remote-debugging-port=0",  # keeps a headless page open
                f"http://127.0.0.1:{server.server_port}/",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            report = reports.get(timeout=40)
        finally:
            browser.kill()
            browser.wait(10)
            server.shutdown()
    assert "error" not in report, report
    width, height = (side + side % 2 for side in size)
    assert (report["width"], report["height"]) == (str(width), str(height))
    assert float(report["duration"]) == pytest.approx(float(Fraction(12, 30)), abs=0.01)
    red, green, blue, _ = map(int, report["pixel"].split(","))
    assert np.abs(np.array([blue, green, red]) - (30, 120, 200)).max() < 8
