"""JSON lines and tables: complete after every end that a program can meet."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.people import a_frame, a_run, people_at
from trt_pose_app import message
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import SinkError
from trt_pose_app.sinks import open_sink
from trt_pose_app.sinks.lines import LineFile
from trt_pose_app.skeleton import COCO17
from trt_pose_app.types import Poses, Timings

VALIDATOR = jsonschema.Draft202012Validator(message.schema())


def write_all(path: Path, n_frames: int = 3) -> None:
    sink = open_sink(str(path), a_run(), Config())
    for i in range(n_frames):
        sink.emit(a_frame(i, pts_s=i / 30), people_at(*[(100, 90), (220, 90)][:i], track=5), Timings(seq=i))
    sink.close()


def test_jsonl_is_one_valid_message_per_frame(tmp_path: Path):
    write_all(tmp_path / "out.jsonl")
    messages = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for result in messages:
        VALIDATOR.validate(result)
    assert [m["seq"] for m in messages] == [0, 1, 2]
    assert [[p["id"] for p in m["people"]] for m in messages] == [[], [5], [5, 6]]


def test_each_line_is_on_disk_at_once(tmp_path: Path):
    sink = open_sink(f"{tmp_path}/out.jsonl", a_run(), Config())
    for i in range(3):
        sink.emit(a_frame(i), people_at(), Timings(seq=i))
        assert (tmp_path / "out.jsonl").read_text().count("\n") == i + 1
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    sink.close()


def test_a_new_run_replaces_the_old_result(tmp_path: Path):
    target = tmp_path / "kept" / "real.jsonl"
    target.parent.mkdir()
    target.write_text("old\n" * 100)
    link = tmp_path / "out.jsonl"
    link.symlink_to(target)
    write_all(link, 1)
    assert link.is_symlink()
    assert target.read_text().count("\n") == 1


def test_csv_has_a_header_and_one_row_per_person(tmp_path: Path):
    write_all(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["person"], row["id"], row["score"]) for row in rows] == [
        ("1", "0", "5", "0.9"),
        ("2", "0", "5", "0.9"),
        ("2", "1", "6", "0.5"),
    ]
    first = rows[0]
    assert len(first) == 11 + 3 * 17
    assert (first["ts"], first["pts_s"]) == ("2026-11-20T12:00:00.033333Z", "0.033333")
    assert [first[name] for name in ("source", "x", "y", "w", "h")] == ["csi://0", "72.4", "17.4", "55.2", "150.0"]
    assert [first[f"left_wrist_{name}"] for name in ("x", "y", "score")] == ["127.6", "93.0", "0.8"]


def test_csv_leaves_what_is_missing_empty(tmp_path: Path):
    whole = people_at((100, 90))
    xy, score = whole.xy.copy(), whole.score.copy()
    xy[0, 0], score[0, 0] = np.nan, 0
    poses = Poses(xy, score, whole.person, whole.box, whole.track, COCO17)
    sink = open_sink(f"{tmp_path}/out.csv", a_run(), Config())
    sink.emit(a_frame(source='a, "b".jpg'), poses, Timings())
    sink.close()
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert [row[name] for name in ("nose_x", "nose_y", "nose_score", "id", "pts_s")] == [""] * 5
    assert row["source"] == 'a, "b".jpg'
    assert row["left_eye_score"] == "0.8"


def test_a_table_of_nobody_has_its_header(tmp_path: Path):
    write_all(tmp_path / "out.csv", 1)
    assert (tmp_path / "out.csv").read_text().startswith("frame,source,ts,pts_s,person,id,score,x,y,w,h,nose_x,")


# A program that writes without end; told to, it limits the size of its files, as a full disk would.
ENDLESS = """
import resource, sys
from tests.people import a_frame, a_run, people_at
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import SinkError
from trt_pose_app.sinks import open_sink
from trt_pose_app.sinks.protocol import StopRun
from trt_pose_app.types import Timings

uri, limit = sys.argv[1], int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sink = open_sink(uri, a_run(), Config())
frame, poses, seq = a_frame(), people_at((100, 90), (200, 90)), 0
try:
    while True:
        sink.emit(frame, poses, Timings(seq=seq))
        seq += 1
        if seq == 200 and not limit:
            print("200 lines", file=sys.stderr, flush=True)
except SinkError as error:
    sink.close()
    sys.exit(f"SinkError: {error}")
except StopRun:
    sink.close()
    sys.exit(7)
"""


def start(uri: str, limit: int = 0, **options) -> subprocess.Popen:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", ENDLESS, uri, str(limit)], cwd=root, stderr=subprocess.PIPE, text=True, **options
    )


def test_a_killed_program_leaves_whole_lines(tmp_path: Path):
    target = tmp_path / "out.jsonl"
    program = start(str(target))
    assert program.stderr is not None
    with program.stderr:
        assert program.stderr.readline() == "200 lines\n"
        program.kill()
        assert program.wait(10) == -signal.SIGKILL
    text = target.read_text()
    assert text.endswith("\n")
    assert [json.loads(line)["seq"] for line in text.splitlines()] == list(range(text.count("\n")))
    assert text.count("\n") >= 200


@pytest.mark.parametrize("limit", [5_000, 5_001, 40_000])
def test_a_full_disk_is_an_error_and_leaves_whole_lines(tmp_path: Path, limit: int):
    program = start(f"{tmp_path}/out.jsonl", limit)
    _, log = program.communicate(timeout=20)
    assert program.returncode == 1
    assert log.startswith(f"SinkError: cannot write {tmp_path}/out.jsonl: File too large"), log
    lines = (tmp_path / "out.jsonl").read_text().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line)["seq"] for line in lines] == list(range(len(lines)))
    assert len(lines) > limit // 1500


def test_no_room_for_the_first_line_keeps_the_old_result(tmp_path: Path):
    (tmp_path / "out.jsonl").write_text("old")
    program = start(f"{tmp_path}/out.jsonl", 100)
    program.communicate(timeout=20)
    assert program.returncode == 1
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out.jsonl", "old")]


def test_writing_goes_on_once_there_is_room_again(tmp_path: Path):
    file = LineFile(tmp_path / "out.jsonl")
    file.write("one\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, hard))
    try:
        with pytest.raises(SinkError, match="File too large"):
            file.write("two\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.write("three\n")
    file.close()
    assert (tmp_path / "out.jsonl").read_text() == "one\nthree\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_stdout_on_a_full_disk_is_an_error():
    with Path("/dev/full").open("wb") as full:
        program = start("-", stdout=full)
        _, log = program.communicate(timeout=20)
    assert log == ("SinkError: cannot write stdout: No space left on device (free some space on that disk)\n")


def test_stdout_is_the_same_lines_and_a_reader_that_leaves_ends_the_run():
    reading, writing = os.pipe()
    program = start("-", stdout=writing)
    os.close(writing)
    with os.fdopen(reading) as reader:
        for seq in range(3):
            result = json.loads(reader.readline())
            VALIDATOR.validate(result)
            assert result["seq"] == seq
    _, log = program.communicate(timeout=20)
    assert program.returncode == 7
    assert "Traceback" not in log
    assert "BrokenPipe" not in log
