"""Network cameras, against real servers: gone and back, frozen, absent at boot, and never their password."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import ClassVar

import cv2
import numpy as np
import pytest

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import SourceError, SourceTimeoutError
from trt_pose_app.sources import open_source
from trt_pose_app.sources.live import LiveSource
from trt_pose_app.types import Frame

from .conftest import RtspCamera, until


def open_live(url: str, config: SourceConfig | None = None) -> LiveSource:
    source = open_source(url, config or SourceConfig())
    assert isinstance(source, LiveSource)
    return source


def newest(source: LiveSource) -> Frame:
    frame = source.read(5)
    assert frame is not None
    return frame


def test_absent_at_boot_then_unplugged_and_back(camera: RtspCamera) -> None:
    with open_live(camera.url) as source:
        until(lambda: source.state == "lost", 2)
        assert source.last_error == "Connection refused"
        with pytest.raises(SourceTimeoutError):
            source.read(0.05)
        camera.plug_in()
        assert until(lambda: source.state == "streaming", 10) < 3
        frame = newest(source)
        assert (frame.width, frame.height) == (320, 240)
        assert source.info.live

        camera.unplug()
        assert until(lambda: source.state == "lost", 10) < 5
        camera.plug_in("--width", "400")
        assert until(lambda: source.state == "streaming", 10) < 3
        again = newest(source)
        assert again.width == 400  # another picture size is no reason to stop
        assert again.index > frame.index
        assert source.reconnects == 1


def test_a_slow_reader_carries_no_backlog(camera: RtspCamera) -> None:
    camera.plug_in()
    with open_live(camera.url) as source:
        before = newest(source)
        time.sleep(1.0)  # the slow reader itself
        after = newest(source)
        assert time.monotonic() - after.captured_s < 0.3
        passed = after.index - before.index
        assert 15 <= passed <= 40  # 25 frames were decoded meanwhile, and this is the last of them
        assert source.dropped >= passed - 1


@pytest.mark.slow
def test_frozen_and_back(camera: RtspCamera) -> None:
    camera.plug_in()
    with open_live(camera.url) as source:
        newest(source)
        camera.freeze()  # the connection stays open and silent, as with a pulled cable
        assert until(lambda: source.state == "lost", 10) < 5
        time.sleep(6)  # let attempts pile up against the frozen server
        camera.thaw()
        assert until(lambda: source.state == "streaming", 10) < 3
        newest(source)
        time.sleep(0.5)
        assert time.monotonic() - newest(source).captured_s < 0.3


@pytest.mark.slow
def test_frozen_while_opening(camera: RtspCamera) -> None:
    camera.plug_in()
    camera.freeze()
    with open_live(camera.url) as source:
        until(lambda: source.state == "lost", 15)
        assert source.last_error == "no answer in time"
        camera.thaw()
        assert until(lambda: source.state == "streaming", 10) < 3
        camera.freeze()
        start_s = time.monotonic()
        source.close()
        assert time.monotonic() - start_s < 2


def test_a_password_opens_the_camera_and_is_never_shown(
    camera: RtspCamera, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    camera.plug_in("--user", "viewer", "--password", "hunter2")
    url = camera.url.replace("//", "//viewer:hunter2@")
    errors: list[BaseException] = []

    def read(source: LiveSource, state: str) -> None:
        while source.state != state:
            try:
                source.read(0.05)
            except SourceError as error:
                errors.append(error)

    with caplog.at_level(logging.DEBUG):
        with open_live(url) as source:
            read(source, "streaming")
            frame = newest(source)
            assert frame.source == source.info.name == camera.url.replace("//", "//***@")
            camera.unplug()
            read(source, "lost")
            assert source.last_error
        camera.plug_in("--user", "viewer", "--password", "another")
        with open_live(url) as source:
            read(source, "lost")
            assert source.last_error == "it refuses user or password"
            with pytest.raises(SourceTimeoutError) as caught:
                source.read(0.05)
            errors.append(caught.value)
    shown = caplog.text + repr(source.info) + repr(vars(source)) + "".join(capfd.readouterr())
    for error in errors:
        shown += repr(error) + "".join(traceback.format_exception(error)) + repr(error.__context__)
    assert "***" in shown
    assert "hunter2" not in shown


def test_a_wrong_path_is_told_from_a_dead_camera(camera: RtspCamera) -> None:
    camera.plug_in()
    with open_live(camera.url + "era") as source:
        until(lambda: source.state == "lost", 3)
        assert source.last_error == "the camera knows no such path"


def test_flip_turns_the_picture(camera: RtspCamera) -> None:
    camera.plug_in("--pattern", "gradient")  # black above, white below
    for flip, top_is_dark in (("none", True), ("rotate-180", False), ("vertical", False), ("horizontal", True)):
        with open_live(camera.url, SourceConfig.model_validate({"flip": flip})) as source:
            image = newest(source).image
        assert (image[:20].mean() < image[-20:].mean()) == top_is_dark
        assert image.flags.c_contiguous


class MjpegCamera(BaseHTTPRequestHandler):
    """A camera page as ESP32-CAM, mjpg-streamer and many others serve it."""

    unplugged: ClassVar[Event] = Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        level = 0
        try:
            while not self.unplugged.wait(0.04):
                level = (level + 8) % 256
                jpeg = bytes(cv2.imencode(".jpg", np.full((48, 64, 3), level, np.uint8))[1])
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:  # the reader has gone
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@pytest.fixture
def mjpeg_url() -> Iterator[str]:
    MjpegCamera.unplugged.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), MjpegCamera)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://viewer:hunter2@127.0.0.1:{server.server_port}/stream"
    MjpegCamera.unplugged.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_mjpeg_over_http(mjpeg_url: str) -> None:
    with open_live(mjpeg_url) as source:
        frames = [newest(source) for _ in range(5)]
        assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
        MjpegCamera.unplugged.set()
        until(lambda: source.state == "lost", 5)
        MjpegCamera.unplugged.clear()
        until(lambda: source.state == "streaming", 5)
        assert source.reconnects == 1
        assert "hunter2" not in source.info.name
