"""Clips, made once for all tests of this folder, and RTSP cameras."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[1] / "rtsp_server.py"
PYTHON = "/usr/bin/python3"  # the one that Debian's GStreamer bindings belong to
_NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 50 frames of 160 x 96 at 25 fps in several containers, and odd ones."""
    folder = tmp_path_factory.mktemp("clips")
    picture = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25"]
    x264 = ["-c:v", "libx264", "-g", "10", "-preset", "ultrafast", "-bf", "2"]
    ffmpeg(folder, *picture, "-t", "2", *x264, "plain.mp4")
    copies: dict[str, list[str]] = {
        "fast.mp4": ["-movflags", "+faststart"],
        "fragmented.mp4": ["-movflags", "+frag_keyframe+empty_moov"],
        "plain.mkv": [],
        "plain.flv": [],
        "plain.ts": [],
        "rotated-90.mp4": ["-metadata:s:v", "rotate=90"],
        "rotated-180.mp4": ["-metadata:s:v", "rotate=180"],
        "rotated-270.mp4": ["-metadata:s:v", "rotate=270"],
    }
    for name, options in copies.items():
        ffmpeg(folder, "-i", "plain.mp4", "-c", "copy", *options, name)
    ffmpeg(folder, "-f", "lavfi", "-i", "sine", "-t", "1", "sound.mp4")
    ffmpeg(folder, *picture, "-frames:v", "0", "-c:v", "libx264", "no-frames.mp4")
    vfr = "setpts=if(lt(N\\,10)\\,N\\,N*3)/25/TB"
    ffmpeg(folder, *picture, "-vf", vfr, "-vsync", "vfr", "-t", "1.4", *x264, "vfr.mp4")
    return folder


def ffmpeg(folder: Path, *arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], cwd=folder, check=True, timeout=30)


def until(condition: Callable[[], object], timeout_s: float) -> float:
    """Return after how many seconds the condition held; fail after ``timeout_s``."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < timeout_s, f"not within {timeout_s} s"
        time.sleep(0.01)
    return time.monotonic() - start_s


class RtspCamera:
    """A camera that can be plugged in, unplugged, frozen and thawed."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._process: subprocess.Popen[str] | None = None

    def plug_in(self, *options: str) -> None:
        command = [PYTHON, str(SERVER), str(self.port), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def unplug(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()  # ends a frozen process too
            self._process.wait()
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="session")
def _gstreamer() -> None:
    check = [PYTHON, "-c", _NEEDS]
    if not Path(PYTHON).exists() or subprocess.run(check, capture_output=True, timeout=30).returncode:
        pytest.skip("needs GStreamer's RTSP server: gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-*")


@pytest.fixture
def camera(_gstreamer: None) -> Iterator[RtspCamera]:
    """An RTSP camera, not plugged in yet."""
    rtsp = RtspCamera()
    yield rtsp
    rtsp.unplug()
