"""Local cameras. No camera is attached where tests run, so OpenCV's capture object is stood in for."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import ConfigError, DependencyError, SourceLostError, SourceUnavailableError
from trt_pose_app.sources import open_source
from trt_pose_app.sources.camera import check_opencv, open_csi, open_v4l2
from trt_pose_app.sources.csi import csi_pipeline
from trt_pose_app.sources.live import LiveSource

from .conftest import until

MJPG = cv2.VideoWriter.fourcc(*"MJPG")


class StandIn:
    """What ``cv2.VideoCapture`` is to the code under test: gives two frames and then is unplugged."""

    opened: ClassVar[list[StandIn]] = []
    works = True

    def __init__(self, device: str, backend: int) -> None:
        self.device, self.backend = device, backend
        self.settings: list[tuple[int, float]] = []
        self.frames = 2
        self.released = False
        StandIn.opened.append(self)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.works

    def set(self, prop: int, value: float) -> bool:
        self.settings.append((prop, value))
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        self.frames -= 1
        if self.frames < 0:
            return False, None
        image = np.zeros((4, 6, 3), np.uint8)
        image[0, 0] = 255
        return True, image

    def release(self) -> None:
        self.released = True


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(cv2, "VideoCapture", StandIn)
    monkeypatch.setattr(StandIn, "opened", [])
    monkeypatch.setattr(StandIn, "works", True)
    path = tmp_path / "video0"
    path.touch()
    return str(path)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, []),
        (
            {"width": 640, "height": 480, "fps": 30},
            [(cv2.CAP_PROP_FRAME_WIDTH, 640), (cv2.CAP_PROP_FRAME_HEIGHT, 480), (cv2.CAP_PROP_FPS, 30)],
        ),
        (
            {"width": 1280, "height": 720},
            [(cv2.CAP_PROP_FOURCC, MJPG), (cv2.CAP_PROP_FRAME_WIDTH, 1280), (cv2.CAP_PROP_FRAME_HEIGHT, 720)],
        ),
        ({"fps": 60}, [(cv2.CAP_PROP_FOURCC, MJPG), (cv2.CAP_PROP_FPS, 60)]),
    ],
)
def test_v4l2_settings(device: str, options: dict[str, float], settings: list[tuple[int, float]]) -> None:
    open_v4l2(device, SourceConfig.model_validate(options))
    (capture,) = StandIn.opened
    assert (capture.device, capture.backend) == (device, cv2.CAP_V4L2)
    assert capture.settings == settings


def test_v4l2_frames_flip_and_loss(device: str) -> None:
    capture = open_v4l2(device, SourceConfig(flip="rotate-180"))
    image = capture.read()()
    assert image[-1, -1].tolist() == [255, 255, 255]
    capture.read()
    with pytest.raises(SourceLostError, match="no more frames"):
        capture.read()
    capture.close()
    assert StandIn.opened[0].released


def test_v4l2_absent_and_busy(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceUnavailableError, match="is not there yet"):
        open_v4l2(device + "9", SourceConfig())
    assert not StandIn.opened
    monkeypatch.setattr(StandIn, "works", False)
    with pytest.raises(SourceUnavailableError, match="cannot be opened") as caught:
        open_v4l2(device, SourceConfig())
    assert "group video" in caught.value.hint
    assert StandIn.opened[0].released


def test_an_unplugged_camera_is_waited_for(device: str) -> None:
    config = SourceConfig(reconnect_min_s=0.02, reconnect_max_s=0.02)
    with LiveSource(device, lambda: open_v4l2(device, config), config) as source:
        until(lambda: len(StandIn.opened) >= 2, 3)
        Path(device).unlink()
        until(lambda: source.last_error == "it is not there yet", 3)
        Path(device).touch()
        seen = len(StandIn.opened)
        until(lambda: len(StandIn.opened) > seen, 3)
        assert all(capture.released for capture in StandIn.opened[:-2])


def test_an_absent_camera_is_no_error_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with open_source("/dev/video63") as source:
        assert isinstance(source, LiveSource)
        until(lambda: caplog.messages, 2)
        assert source.last_error == "it is not there yet"
        assert source.info.name == "/dev/video63"
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith("/dev/video63 cannot be reached: it is not there yet; trying again until")


@pytest.mark.parametrize("uri", ["/dev/null", "v4l2:///dev/zero", f"v4l2://{__file__}"])
def test_what_is_no_video_device_is_refused_at_once(uri: str) -> None:
    with pytest.raises(ConfigError, match="is no video device") as caught:
        open_source(uri)
    assert "trt-pose cameras" in caught.value.hint


def test_opencv_prints_no_warnings_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "video0").touch()
    check_opencv("v4l2")
    with pytest.raises(SourceUnavailableError, match="cannot be opened"):
        open_v4l2(str(tmp_path / "video0"), SourceConfig())
    assert capfd.readouterr() == ("", "")


PIPELINES = {
    "plain": (
        0,
        {},
        "nvarguscamerasrc sensor-id=0 ! "
        "video/x-raw(memory:NVMM), width=(int)1280, height=(int)720, framerate=(fraction)30/1 ! "
        "nvvidconv flip-method=0 ! video/x-raw, format=(string)BGRx ! videoconvert ! "
        "video/x-raw, format=(string)BGR ! appsink drop=true max-buffers=1 sync=false",
    ),
    "second sensor, hanging upside down": (
        1,
        {"width": 1920, "height": 1080, "fps": 29.97, "flip": "rotate-180"},
        "nvarguscamerasrc sensor-id=1 ! "
        "video/x-raw(memory:NVMM), width=(int)1920, height=(int)1080, framerate=(fraction)2997/100 ! "
        "nvvidconv flip-method=2 ! video/x-raw, format=(string)BGRx ! videoconvert ! "
        "video/x-raw, format=(string)BGR ! appsink drop=true max-buffers=1 sync=false",
    ),
}


@pytest.mark.parametrize(("sensor", "options", "pipeline"), PIPELINES.values(), ids=PIPELINES)
def test_csi_pipeline(sensor: int, options: dict[str, object], pipeline: str) -> None:
    assert csi_pipeline(sensor, SourceConfig.model_validate(options)) == pipeline


@pytest.mark.parametrize(("flip", "method"), [("none", 0), ("rotate-180", 2), ("horizontal", 4), ("vertical", 6)])
def test_csi_flips_in_the_pipeline_and_not_again(device: str, flip: str, method: int) -> None:
    capture = open_csi(1, SourceConfig.model_validate({"flip": flip}))
    assert f"flip-method={method} " in StandIn.opened[0].device
    assert StandIn.opened[0].backend == cv2.CAP_GSTREAMER
    assert capture.read()()[0, 0].tolist() == [255, 255, 255]


def test_csi_that_does_not_open(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandIn, "works", False)
    with pytest.raises(SourceUnavailableError, match="csi://0") as caught:
        open_csi(0, SourceConfig())
    assert "nvargus-daemon" in caught.value.hint


def test_csi_needs_an_opencv_with_gstreamer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  Video I/O:\n    GStreamer:                   NO\n")
    with pytest.raises(DependencyError, match="GStreamer") as caught:
        open_source("csi://0")
    assert "--system-site-packages" in caught.value.hint
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  Video I/O:\n    GStreamer:    YES (1.20.3)\n")
    check_opencv("csi")
