import json
import logging
import os
import pty
import re
import sys
import warnings
from collections.abc import Iterator

import pytest

from trt_pose_app.cli.log import set_up_logging

LOG = logging.getLogger("trt_pose_app.sources.rtsp")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = [*root.handlers], root.level
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield
    root.handlers[:], root.level = before
    logging.captureWarnings(False)
    for name in ("trt_pose_app", "converters"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_text_is_one_short_line_without_colour_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "text")
    LOG.warning("no frame for %d s", 4)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} warning sources\.rtsp: no frame for 4 s\n", err)


def test_colours_on_a_terminal_only_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal, os.fdopen(reader, "rb"):
        monkeypatch.setattr(sys, "stderr", terminal)
        for no_color, coloured in (("", True), ("1", False)):
            monkeypatch.setenv("NO_COLOR", no_color)
            set_up_logging()
            LOG.error("gone")
            assert (b"\x1b[31m" in os.read(reader, 1000)) is coloured


def test_json_is_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", "json")
    LOG.debug("line one\nline two")
    try:
        raise OSError("no rtsp://u:hunter2@host")
    except OSError:
        LOG.exception("failed")
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [entry["level"] for entry in entries] == ["debug", "error"]
    assert entries[0]["message"] == "line one\nline two"
    assert entries[0]["logger"] == "trt_pose_app.sources.rtsp"
    assert entries[1]["exception"].endswith("OSError: no rtsp://***@host")


@pytest.mark.parametrize("form", ["text", "json"])
def test_credentials_never_reach_the_log(
    form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own raises for a wrong record
    set_up_logging("info", form)  # type: ignore[arg-type]
    LOG.info("opening %s", "rtsp://admin:hunter2@host/x")
    LOG.info("%d frames", "rtsp://admin:hunter2@host/x")  # a wrong record must not print its arguments
    warnings.warn_explicit("cannot use mqtt://u:hunter2@host", UserWarning, "x.py", 1, registry=None)
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert "rtsp://***@host/x" in err
    assert "does not fit its arguments" in err


def test_level_holds_for_us_and_others_stay_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug")
    LOG.debug("ours")
    logging.getLogger("foreign").info("chatter")
    logging.getLogger("foreign").warning("serious")
    set_up_logging("error")
    LOG.warning("hidden")
    logging.getLogger("foreign").warning("hidden")
    messages = [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()]
    assert messages == ["ours", "serious"]
