"""The grammar of sources, its errors, and what is left of a URI that people may see."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.errors import ConfigError
from trt_pose_app.sources.uri import parse, redact

GRAMMAR = [
    ("csi://0", "csi", "0", "csi://0"),
    ("csi://12", "csi", "12", "csi://12"),
    ("0", "v4l2", "/dev/video0", "/dev/video0"),
    ("/dev/video2", "v4l2", "/dev/video2", "/dev/video2"),
    ("v4l2:///dev/video1", "v4l2", "/dev/video1", "/dev/video1"),
    ("/dev/v4l/by-id/usb-Cam-index0", "v4l2", "/dev/v4l/by-id/usb-Cam-index0", "/dev/v4l/by-id/usb-Cam-index0"),
    ("/dev/shm/clip.mp4", "path", "/dev/shm/clip.mp4", "/dev/shm/clip.mp4"),
    ("rtsp://host/cam", "stream", "rtsp://host/cam", "rtsp://host/cam"),
    ("RTSPS://u:pw@host:322/cam", "stream", "RTSPS://u:pw@host:322/cam", "RTSPS://***@host:322/cam"),
    ("http://host/video.mjpg", "stream", "http://host/video.mjpg", "http://host/video.mjpg"),
    ("https://host/live.m3u8", "stream", "https://host/live.m3u8", "https://host/live.m3u8"),
    ("clip.mp4", "path", "clip.mp4", "clip.mp4"),
    ("a/folder/", "path", "a/folder/", "a/folder/"),
    ("frames/*.jpg", "path", "frames/*.jpg", "frames/*.jpg"),
    ("file:///a%20b.mp4", "path", "/a b.mp4", "/a b.mp4"),
    ("file://localhost/clip.mp4", "path", "/clip.mp4", "/clip.mp4"),
    ("odd:name.mp4", "path", "odd:name.mp4", "odd:name.mp4"),
]


@pytest.mark.parametrize(("uri", "kind", "target", "name"), GRAMMAR, ids=[row[0] for row in GRAMMAR])
def test_grammar(uri: str, kind: str, target: str, name: str) -> None:
    parsed = parse(uri)
    assert (parsed.kind, parsed.target, parsed.name) == (kind, target, name)


def test_options_of_the_synthetic_source() -> None:
    assert parse("synthetic://people?n=3&live=1").options == {"n": "3", "live": "1"}
    assert parse("synthetic://people").options == {}


@pytest.mark.parametrize(
    ("uri", "message", "hint"),
    [
        ("", "no source", "csi://0"),
        ("rstp://host/cam", "rstp://", "did you mean rtsp://?"),
        ("gopher://host", "gopher://", "Sources are csi://0"),
        ("csi://front", "no CSI sensor", "csi://0"),
        ("v4l2://0", "no device file", "v4l2:///dev/video0"),
        ("v4l2://dev/video3", "no device file", "v4l2:///dev/video3"),
        ("csi:0", "not written as a URI", "csi://"),
        ("rtsp:/host/cam", "not written as a URI", "rtsp://"),
        ("file://server/clip.mp4", "no file of this machine", "file:///"),
        ("synthetic://cats", "no synthetic source", "synthetic://people"),
        ("rtsp:///cam", "names no host", "rtsp://user:password@host/path"),
        ("rtsp://host:port/cam", "port that is no number", "rtsp://host:554/path"),
        ("rtsp://host/a b", "blank", "%20"),
        ("https://host/clip.mp4", "a file, not a live stream", "download"),
    ],
)
def test_errors_say_what_to_write(uri: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(uri)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://admin:hunter2@host/cam",
        "rtsp://admin:hun@hunter2@host/cam",  # an unescaped @ in the password
        "rtsp://admin:a/hunter2@host/cam",  # an unescaped slash
        "rtsp://admin:a hunter2@host/cam",  # a blank
        "rtsp://admin:hunter2#@host/cam",
        "rtsp://hunter2@host/cam",
        "rtsp://host/user=admin&password=hunter2&channel=1",
        "rtsp://host/cam?token=hunter2",
        "rtps://admin:hunter2@host/cam",
        "rtsp:/admin:hunter2@host/cam",
        "rtsp:admin:hunter2@host/cam",
    ],
)
def test_no_password_is_shown(uri: str) -> None:
    if "://" in uri:
        assert "hunter2" not in redact(uri)
    try:
        assert "hunter2" not in repr(parse(uri))
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error) + error.hint
        # Even what a chain carries unseen.
        shown += repr(error.__context__) + repr(error.__cause__)
        assert "hunter2" not in "\n".join(line for line in shown.splitlines() if "parse(" not in line)


@given(st.text("abcAB12:/@#? %&", max_size=12), st.text("hjkxyz", min_size=1, max_size=12))
def test_user_and_password_never_survive(user: str, host: str) -> None:
    secret = "S3CRET"
    assert secret not in redact(f"rtsp://{user}:{secret}@{host}/cam")
    assert redact(f"rtsp://{host}/cam") == f"rtsp://{host}/cam"


def test_a_path_is_shown_as_it_is() -> None:
    assert redact("a folder/clip@home.mp4") == "a folder/clip@home.mp4"
