"""The list of cameras, from a made-up /sys and /dev and a made-up kernel that answers ioctls."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from trt_pose_app.sources.cameras import Camera, list_cameras
from trt_pose_app.sources.v4l2 import (
    ENUM_FMT,
    ENUM_FRAMEINTERVALS,
    ENUM_FRAMESIZES,
    QUERYCAP,
    Capability,
    Mode,
    query,
)

CAPTURE, METADATA, STREAMING, DEVICE_CAPS = 0x1, 0x0080_0000, 0x0400_0000, 0x8000_0000
# FOURCC -> size -> (numerator, denominator) of each interval, as drivers list them.
WEBCAM = {
    b"YUYV": {(640, 480): [(1, 30), (1, 15)], (1280, 720): [(1, 10)]},
    b"MJPG": {(1280, 720): [(1, 60), (1001, 30000)]},
}


def kernel(device_caps: int, formats: dict[bytes, dict[tuple[int, int], list[tuple[int, int]]]]) -> Callable[..., int]:
    """Return an ioctl that fills linux/videodev2.h's structs as a UVC camera's driver does."""

    def ioctl(fd: int, request: int, buffer: bytearray) -> int:
        assert fd >= 0
        if request == QUERYCAP:
            struct.pack_into(
                "16s32s32sIII", buffer, 0,
                b"uvcvideo", b"HD Webcam", b"usb-0000:00:14.0-1", 0x060100,
                DEVICE_CAPS | CAPTURE | METADATA, device_caps,
            )  # fmt: skip
            return 0
        index = struct.unpack_from("I", buffer)[0]
        try:
            if request == ENUM_FMT:
                assert struct.unpack_from("I", buffer, 4)[0] == 1
                buffer[44:48] = list(formats)[index]
            elif request == ENUM_FRAMESIZES:
                struct.pack_into("III", buffer, 8, 1, *list(formats[bytes(buffer[4:8])])[index])
            elif request == ENUM_FRAMEINTERVALS:
                size = struct.unpack_from("II", buffer, 8)
                struct.pack_into("III", buffer, 16, 1, *formats[bytes(buffer[4:8])][size][index])
        except IndexError:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None
        return 0

    return ioctl


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


def test_a_webcam_tells_its_modes(node: Path) -> None:
    assert query(node, kernel(CAPTURE | STREAMING, WEBCAM)) == Capability(
        "uvcvideo",
        "HD Webcam",
        "usb-0000:00:14.0-1",
        captures=True,
        modes=(
            Mode("YUYV", 640, 480, (30.0, 15.0)),
            Mode("YUYV", 1280, 720, (10.0,)),
            Mode("MJPG", 1280, 720, (60.0, 29.97)),
        ),
    )


def test_a_metadata_node_is_no_camera(node: Path) -> None:
    found = query(node, kernel(METADATA | STREAMING, WEBCAM))
    assert not found.captures
    assert found.modes == ()


def test_a_range_of_sizes_is_listed_by_its_largest(node: Path) -> None:
    plain = kernel(CAPTURE, {b"NV12": {(0, 0): []}})

    def stepwise(fd: int, request: int, buffer: bytearray) -> int:
        if request == ENUM_FRAMEINTERVALS:
            raise OSError(errno.ENOTTY, "not listed")
        plain(fd, request, buffer)
        if request == ENUM_FRAMESIZES:
            struct.pack_into("7I", buffer, 8, 3, 32, 4096, 2, 32, 2304, 2)
        return 0

    assert query(node, stepwise).modes == (Mode("NV12", 4096, 2304, ()),)


def test_a_driver_that_never_ends_its_list_is_cut_off(node: Path) -> None:
    def endless(fd: int, request: int, buffer: bytearray) -> int:
        if request == QUERYCAP:
            struct.pack_into("II", buffer, 84, CAPTURE, 0)
        elif request == ENUM_FMT:
            buffer[44:48] = b"GREY"
        elif struct.unpack_from("I", buffer)[0] > 3 and request != ENUM_FMT:
            raise OSError(errno.EINVAL, "no more")
        return 0

    assert len(query(node, endless).modes) == 64 * 4


def test_what_is_no_video_device_is_an_error(node: Path) -> None:
    with pytest.raises(OSError, match="ioctl"):
        query(node)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with a webcam of two nodes, a second one without a serial number, and two CSI sensors."""
    nodes = {
        "video0": ("HD Webcam: HD Webcam", "0"),
        "video1": ("HD Webcam: HD Webcam", "1"),
        "video2": ("vi-output, imx219 9-0010", "0"),
        "video10": ("vi-output, imx477 10-001a", "0"),
        "video3": ("Cheap Cam", "0"),
    }
    for name, (card, index) in nodes.items():
        entry = tmp_path / "sys/class/video4linux" / name
        entry.mkdir(parents=True)
        (entry / "name").write_text(card + "\n")
        (entry / "index").write_text(index + "\n")
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    for link, target in {
        "by-id/usb-Maker_HD_Webcam_A1B2-video-index0": "video0",
        "by-id/usb-Maker_HD_Webcam_A1B2-video-index1": "video1",
        "by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0": "video0",
        "by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0": "video3",
    }.items():
        path = tmp_path / "dev/v4l" / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(f"../../{target}")
    return tmp_path


def test_cameras_are_named_by_what_survives_replugging(root: Path) -> None:
    def answer(device: Path) -> Capability:
        captures = device.name != "video1"
        return Capability("uvcvideo", f"Card of {device.name}", "usb-1", captures, (Mode("MJPG", 1280, 720, (30.0,)),))

    modes = (Mode("MJPG", 1280, 720, (30.0,)),)
    assert list_cameras(root, answer) == [
        Camera("/dev/v4l/by-id/usb-Maker_HD_Webcam_A1B2-video-index0", "v4l2", "Card of video0", "/dev/video0", modes),
        Camera(
            "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0", "v4l2", "Card of video3", "/dev/video3", modes
        ),
        Camera("csi://0", "csi", "imx219 9-0010", "/dev/video2"),
        Camera("csi://1", "csi", "imx477 10-001a", "/dev/video10"),
    ]


def test_a_camera_that_may_not_be_asked_is_listed_with_the_reason(root: Path) -> None:
    def refuse(device: Path) -> Capability:
        raise PermissionError(errno.EACCES, "Permission denied", str(device))

    cameras = list_cameras(root, refuse)
    assert [(camera.name, camera.problem) for camera in cameras[:2]] == [
        ("HD Webcam: HD Webcam", "Permission denied"),
        ("Cheap Cam", "Permission denied"),
    ]


def test_a_machine_without_cameras(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == []
