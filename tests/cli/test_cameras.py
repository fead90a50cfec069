"""``trt-pose cameras``: one source per line to copy, or JSON."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from trt_pose_app.cli import cameras as verb
from trt_pose_app.sources.cameras import Camera
from trt_pose_app.sources.v4l2 import Mode

CAMERAS = [
    Camera(
        "/dev/v4l/by-id/usb-Cam-index0",
        "v4l2",
        "HD Webcam",
        "/dev/video0",
        (Mode("YUYV", 640, 480, (30.0, 15.0)), Mode("MJPG", 640, 480, ()), Mode("MJPG", 1280, 720, (60.0,))),
    ),
    Camera("/dev/video3", "v4l2", "Cheap Cam", "/dev/video3", problem="Permission denied"),
    Camera("csi://0", "csi", "imx219 9-0010", "/dev/video2"),
]


def test_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "list_cameras", lambda: CAMERAS)
    result = CliRunner().invoke(verb.command)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "/dev/v4l/by-id/usb-Cam-index0  HD Webcam  (/dev/video0)",
        "  YUYV: 640x480 at 30",
        "  MJPG: 1280x720 at 60, 640x480",
        "/dev/video3  Cheap Cam",
        "  cannot be asked: Permission denied; are you in the group video?",
        "csi://0  imx219 9-0010  (/dev/video2)",
    ]


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "list_cameras", lambda: CAMERAS)
    listed = json.loads(CliRunner().invoke(verb.command, ["--json"]).stdout)
    assert [camera["uri"] for camera in listed] == [camera.uri for camera in CAMERAS]
    assert listed[0]["modes"][0] == {"format": "YUYV", "width": 640, "height": 480, "fps": [30.0, 15.0]}


@pytest.mark.parametrize(("arguments", "stdout"), [([], ""), (["--json"], "[]\n")])
def test_no_camera_is_no_failure(monkeypatch: pytest.MonkeyPatch, arguments: list[str], stdout: str) -> None:
    monkeypatch.setattr(verb, "list_cameras", list)
    result = CliRunner().invoke(verb.command, arguments)
    assert (result.exit_code, result.stdout) == (0, stdout)
    assert "no camera found" in result.stderr


def test_this_machine_can_be_asked() -> None:
    assert isinstance(json.loads(CliRunner().invoke(verb.command, ["--json"]).stdout), list)
