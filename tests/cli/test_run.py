"""``trt-pose run`` as its users run it: in a process of its own, with real files, broker and camera."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import av
import pytest
from jsonschema import Draft202012Validator

import trt_pose_app
from tests.cli.conftest import COMMAND, SAMPLE
from tests.sinks.mqtt_rig import MOSQUITTO, Mosquitto, Subscriber, until
from tests.sources.conftest import RtspCamera

SCHEMA = json.loads((Path(trt_pose_app.__file__).parent / "poses.schema.json").read_text())
POSES = "trt-pose/v1/jetson-01/cam0/poses"
CLIP, FRAMES = SAMPLE / "people.mp4", 60


def messages(path: Path) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(folder: Path, name: str) -> int:
    """Return how many bytes a result has so far, under its name or its working name."""
    sizes = [0]
    for path in (folder / name, folder / f"{name}.part"):
        with contextlib.suppress(FileNotFoundError):  # renamed just now
            sizes.append(path.stat().st_size)
    return max(sizes)


def decoded_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_video_into_every_kind_of_file(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose(
        "run", CLIP, "out.jsonl", "out.csv", "out.mp4", "last.jpg", "frames/", "--model", "scripted", "--json"
    )
    assert done.returncode == 0, done.stderr
    stats = json.loads(done.stdout)
    assert (stats["frames"], stats["people"]) == (FRAMES, 2 * FRAMES)

    lines = messages(tmp_path / "out.jsonl")
    assert [line["seq"] for line in lines] == list(range(FRAMES))
    for line in lines:
        Draft202012Validator(SCHEMA).validate(line)
    assert lines[0]["model"].startswith("scripted@")
    assert lines[-1]["pts_s"] == pytest.approx(59 / 15, abs=1e-3)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 2 * FRAMES
    assert decoded_frames(tmp_path / "out.mp4") == FRAMES
    assert (tmp_path / "last.jpg").stat().st_size > 1000
    assert len(list((tmp_path / "frames").iterdir())) == FRAMES


def test_a_second_run_never_repeats_a_message_s_key(trt_pose) -> None:  # type: ignore[no-untyped-def]
    runs = [trt_pose("run", CLIP, "-", "--model", "scripted", "--frames", 3) for _ in range(2)]
    lines = [json.loads(line) for done in runs for line in done.stdout.splitlines()]
    assert len({(line["device"], line["boot_id"], line["seq"]) for line in lines}) == len(lines) == 6


def test_json_lines_on_stdout_leave_the_log_to_stderr(trt_pose) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("run", CLIP, "-", "--model", "scripted", "--frames", 3)
    assert done.returncode == 0
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1, 2]
    assert "3 frames, 6 people" in done.stderr
    assert "\r" not in done.stderr  # no status line in a pipe
    assert "\x1b" not in done.stderr


def test_a_terminal_gets_a_status_line(environment, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ours, theirs = pty.openpty()
    uri = "synthetic://people?live=1&fps=30&frames=60"
    environment = {**environment, "TERM": "xterm", "COLUMNS": "160"}
    process = subprocess.Popen(
        [*COMMAND, "run", uri, "--model", "scripted"], cwd=tmp_path, env=environment, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    assert process.wait(20) == 0
    for part in (b" fps", b" people", b" ms latency", b" dropped"):
        assert part in shown


def test_the_engine_s_rate_says_on_how_many_frames_it_ran(trt_pose) -> None:  # type: ignore[no-untyped-def]
    run = ("run", "synthetic://people?frames=8&n=1", "--model", "pose-nano", "--input-size", "128")
    assert re.search(r"engine alone [\d.]+ fps$", trt_pose(*run).stderr, re.MULTILINE)
    gapped = trt_pose(*run, "--inference-gap", "4")
    assert re.search(r"engine alone [\d.]+ fps, run on 2 of 8 frames$", gapped.stderr, re.MULTILINE)


def test_sigterm_leaves_complete_files_and_exit_code_0(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    process = start("run", "synthetic://people?live=1&fps=30", "out.jsonl", "out.mp4", "--model", "scripted")
    part = tmp_path / "out.jsonl"
    until(lambda: written(tmp_path, "out.jsonl") > 20_000, 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    lines = messages(part)
    assert lines[-1]["people"]
    # both sinks got frames to the end; a live sink may have dropped some while it was slow
    assert 10 < decoded_frames(tmp_path / "out.mp4") <= lines[-1]["seq"] + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.mp4"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stopping_a_long_file_loses_nothing_that_was_done(start, tmp_path: Path, number: int) -> None:  # type: ignore[no-untyped-def]
    process = start("run", "synthetic://people?frames=1000000", "out.jsonl", "--model", "scripted")
    until(lambda: written(tmp_path, "out.jsonl") > 20_000, 30)
    process.send_signal(number)
    assert process.wait(10) == 0
    lines = messages(tmp_path / "out.jsonl")
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    _, log = process.communicate()
    assert f"interrupted after {len(lines)} frames" in log


@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto")
def test_a_file_goes_into_a_broker_frame_by_frame(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with Mosquitto(tmp_path) as broker, Subscriber(broker, POSES) as subscriber:
        done = trt_pose("run", CLIP, broker.uri, "--model", "scripted", "--device", "jetson-01")
        assert done.returncode == 0, done.stderr
        until(lambda: len(subscriber.messages) >= FRAMES)
        assert subscriber.frames() == list(range(FRAMES))


@pytest.mark.parametrize(
    ("arguments", "code", "complaints"),
    [
        (["run"], 2, ["no source given"]),
        (["run", "missing.mp4", "--model", "scripted"], 2, ["missing.mp4"]),
        (["run", "ftp://host/x", "--model", "scripted"], 2, ["ftp"]),
        (["run", CLIP, "out.xyz", "--model", "scripted"], 2, ["out.xyz"]),
        (["run", CLIP, "no/such/folder/out.jsonl", "--model", "scripted"], 2, ["no/such/folder"]),
        (["run", CLIP, "--model", "no-such-model"], 4, ["no-such-model", "hint"]),
        (["run", CLIP, "--model", "scripted", "--input-size", "130"], 2, ["multiples of 4", "128"]),
        (["run", CLIP, "-", "--json", "--model", "scripted"], 2, ["stdout"]),
        (["run", CLIP, "--set", "mqtt.qos=2", "--set", "model.thread=1"], 2, ["mqtt.qos", "model.thread"]),
        (["run", CLIP, "--model", "scripted", "--backend", "tensorrt"], 3, ["tensorrt"]),
        (["walk", CLIP], 2, ["No such command"]),
        (["rnu", CLIP], 2, ["Did you mean 'run'"]),
        (["run", CLIP, "--device", "a/b"], 2, ["--device"]),
        (["run", CLIP, "--frames", "0"], 2, ["--frames"]),
    ],
    ids=lambda value: " ".join(map(str, value[:3])) if isinstance(value, list) and len(value) > 1 else None,
)
def test_a_mistake_has_its_exit_code_and_says_what_to_do(trt_pose, arguments, code, complaints) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for complaint in complaints:
        assert complaint in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto")
def test_camera_and_broker_may_go_and_come_back(start, tmp_path: Path, camera: RtspCamera) -> None:  # type: ignore[no-untyped-def]
    camera.plug_in()
    with Mosquitto(tmp_path) as broker:
        process = start("run", camera.url, broker.uri, "out.jsonl", "--model", "scripted", "--device", "jetson-01")
        with Subscriber(broker, POSES) as before:
            until(lambda: len(before.messages) > 5, 20)
        camera.unplug()
        broker.stop(signal.SIGKILL)
        time.sleep(1.0)  # an outage that both sides notice
        broker.start()
        camera.plug_in()
        with Subscriber(broker, POSES) as after:
            until(lambda: len(after.messages) > 5, 20)
        assert after.poses()[0]["seq"] > before.poses()[-1]["seq"]
        assert process.poll() is None  # the same process all the time
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert messages(tmp_path / "out.jsonl")


def test_ids_go_into_every_message_and_row(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("run", CLIP, "out.jsonl", "out.csv", "--model", "scripted", "--frames", 8, "--track")
    assert done.returncode == 0, done.stderr
    lines = messages(tmp_path / "out.jsonl")
    for line in lines:
        Draft202012Validator(SCHEMA).validate(line)
    ids = [[person.get("id") for person in line["people"]] for line in lines]
    assert ids == [[None, None]] * 2 + [[1, 2]] * 6
    with (tmp_path / "out.csv").open(newline="") as table:
        assert [row["id"] for row in csv.DictReader(table)] == ["", ""] * 2 + ["1", "2"] * 6


def test_smoothing_gives_ids_and_spares_the_sinks_that_want_raw_keypoints(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    raw = 'smooth.raw_sinks=["csv"]'
    done = trt_pose("run", CLIP, "out.jsonl", "out.csv", "--model", "scripted", "--frames", 4, "--smooth", "--set", raw)
    assert done.returncode == 0, done.stderr
    assert [person["id"] for person in messages(tmp_path / "out.jsonl")[-1]["people"]] == [1, 2]
    done = trt_pose("run", CLIP, "--model", "scripted", "--set", 'smooth.raw_sinks=["paper"]')
    assert done.returncode == 2
    assert "smooth.raw_sinks" in done.stderr


def test_without_a_tracker_no_message_has_an_id(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert trt_pose("run", CLIP, "out.jsonl", "--model", "scripted", "--frames", 4, "--no-track").returncode == 0
    assert all("id" not in person for line in messages(tmp_path / "out.jsonl") for person in line["people"])
