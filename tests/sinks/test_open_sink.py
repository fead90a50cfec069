"""Addresses of sinks: what each stands for, and every mistake told before a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.people import a_frame, a_run, people_at
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError, DependencyError
from trt_pose_app.sinks import check_sinks, open_sink, sink_kind
from trt_pose_app.sinks.display import check_display
from trt_pose_app.types import Timings


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("-", "stdout"),
        ("out.jsonl", "jsonl"),
        ("/data/out.JSONL", "jsonl"),
        ("out.csv", "csv"),
        ("out.mp4", "video"),
        ("out.mkv", "video"),
        ("out.jpg", "image"),
        ("out.png", "image"),
        ("pictures/", "images"),
        (".", "images"),  # a folder that is there needs no slash
        ("frame-%06d.jpg", "images"),
        ("display://", "display"),
        ("display://front door", "display"),
        ("null://", "null"),
        ("mqtt://127.0.0.1:1883", "mqtt"),
        ("mqtts://user:secret@broker", "mqtt"),
    ],
)
def test_what_an_address_stands_for(uri: str, kind: str):
    assert sink_kind(uri) == kind


@pytest.mark.parametrize("uri", ["out.xyz", "out", "", "http://:8080", "mqttt://user:secret@host", "mp4", "://"])
def test_an_unknown_kind_is_answered_with_the_grammar(uri: str):
    with pytest.raises(ConfigError, match="no such kind of sink") as caught:
        sink_kind(uri)
    assert "out.jsonl" in caught.value.hint
    assert "mqtt://" in caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("a/out.json", "a/out.jsonl"),
        ("out.avi", "out.mp4"),
        ("out.JPGE", "out.jpg"),
        ("mqtt2://user:secret@host", "mqtt://"),
    ],
)
def test_a_near_miss_is_answered_with_what_was_meant(uri: str, meant: str):
    with pytest.raises(ConfigError) as caught:
        sink_kind(uri)
    assert caught.value.hint.startswith(f"did you mean {meant}? The kinds are\n-  ")
    assert "secret" not in str(caught.value)


def test_a_closed_stdout_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ConfigError, match="stdout, which is closed"):
        check_sinks(["-"])


def test_a_hint_with_a_path_can_be_pasted(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        check_sinks([f"{tmp_path}/my results/out.csv"])
    assert caught.value.hint == f"mkdir -p '{tmp_path}/my results'"


def fifo(folder: Path) -> str:
    os.mkfifo(folder / "out.csv")
    return f"{folder}/out.csv"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: f"{folder}/absent/out.jsonl", "no such directory: .*absent"),
        (lambda folder: f"{folder}/absent/out.mp4", "no such directory: .*absent"),
        (lambda folder: f"{folder}/absent/pictures/", "no such directory: .*absent"),
        (lambda folder: f"{folder}/absent/new/%06d.png", "no such directory: .*absent"),
        (lambda folder: "/proc/out.csv", "cannot write in /proc"),
        (lambda folder: f"{folder}/frame-%s.jpg", "no pattern"),
        (lambda folder: f"{folder}/%d-%d.jpg", "no pattern"),
        (lambda folder: f"{folder}/100%.jpg", "no pattern"),
        (fifo, "no plain file"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path: Path, make, message: str):
    uri = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=message):
        check_sinks(["null://", uri])
    with pytest.raises(ConfigError, match=message):
        open_sink(uri, a_run(), Config())
    assert sorted(tmp_path.iterdir()) == before


def test_one_file_cannot_be_written_twice(tmp_path: Path):
    check_sinks([f"{tmp_path}/a.jsonl", f"{tmp_path}/b.jsonl", f"{tmp_path}/a.csv", "null://", "null://", "-"])
    with pytest.raises(ConfigError, match="one sink too many"):
        check_sinks([f"{tmp_path}/a.jsonl", f"{tmp_path}/../{tmp_path.name}/a.jsonl"])
    with pytest.raises(ConfigError, match="one sink too many"):
        check_sinks(["-", "-"])


def test_a_source_is_never_written_over(tmp_path: Path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="source itself"):
        open_sink(str(film), a_run(source=f"{tmp_path}/./film.mp4"), Config())
    assert film.read_bytes() == b"precious"


@pytest.mark.parametrize(
    "uri", ["out.jsonl", "out.csv", "out.mp4", "out.mkv", "out.jpg", "out.png", "pictures/", "n-%03d.jpg"]
)
def test_nothing_is_touched_until_there_is_a_result(tmp_path: Path, uri: str):
    old = tmp_path / uri.rstrip("/")
    if not uri.endswith("/"):
        old.write_text("of the last run")
    before = sorted(tmp_path.iterdir())
    sink = open_sink(f"{tmp_path}/{uri}", a_run(), Config())
    sink.close()
    sink.close()
    assert sorted(tmp_path.iterdir()) == before
    assert not before or old.read_text() == "of the last run"


def test_null_takes_everything():
    sink = open_sink("null://", a_run(), Config())
    sink.emit(a_frame(), people_at((9, 9)), Timings())
    sink.close()


def test_a_window_without_a_screen_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    check_display.cache_clear()
    with pytest.raises(DependencyError, match=r"opencv-python-headless|DISPLAY") as caught:
        open_sink("display://", a_run(), Config())
    assert caught.value.exit_code == 3
