import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.networks import write_scripted_pose_network
from tests.sinks.mqtt_rig import MOSQUITTO, Mosquitto, Subscriber, free_port, until
from trt_pose_app.cli.trial import try_broker, try_model, try_source
from trt_pose_app.config.schema import Config, ModelConfig, MqttConfig
from trt_pose_app.probe.check import Check

pytest.importorskip("cv2")
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from trt_pose_app.cli import main; main()", "doctor"]
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto (apt install mosquitto)")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("TRT_POSE")]:
        monkeypatch.delenv(name)
    return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}


def test_json_holds_checks_and_facts_and_the_exit_code_follows_them(environment: dict[str, str]) -> None:
    start = time.monotonic()
    result = subprocess.run(
        [*COMMAND, "--json"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert time.monotonic() - start < 20  # a few seconds on an idle machine
    report = json.loads(result.stdout)
    statuses = [check["status"] for check in report["checks"]]
    assert report["ok"] == ("fail" not in statuses)
    assert result.returncode == (0 if report["ok"] else 3)
    sections = {check["section"] for check in report["checks"]}
    assert sections >= {
        "platform",
        "python",
        "numpy",
        "opencv",
        "engine",
        "parser",
        "video",
        "machine",
        "models",
        "cameras",
    }
    for check in report["checks"]:
        assert bool(check["fix"]) == (check["status"] != "pass")
    assert set(report["facts"]) == {
        "version",
        "board",
        "memory",
        "power",
        "interpreter",
        "imports",
        "versions",
        "argus",
    }


def test_in_a_pipe_lines_are_plain(environment: dict[str, str]) -> None:
    command = [*COMMAND, "--source", "synthetic://people?n=1"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode in (0, 3)
    *lines, summary = result.stdout.splitlines()
    assert all(re.match(r"(pass|warn|fail)  \w+ +.+: |      +fix: ", line) for line in lines)
    assert any(line.startswith("pass  source") for line in lines)
    assert re.fullmatch(r"\d+ pass, \d+ warn, \d+ fail", summary)
    assert "\x1b" not in result.stdout


def test_on_a_terminal_there_are_marks(environment: dict[str, str]) -> None:
    reader, writer = pty.openpty()
    settings = {**environment, "TERM": "xterm-256color", "COLUMNS": "120", "TRT_POSE_NATIVE": "0"}
    with subprocess.Popen(COMMAND, env=settings, stdout=writer, stdin=subprocess.DEVNULL):
        os.close(writer)
        output = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and select.select([reader], [], [], 1) is not None:
            try:
                chunk = os.read(reader, 4096)
            except OSError:  # the other side is closed
                break
            output += chunk
        os.close(reader)
    text = re.sub(r"\x1b\[[\d;]*m", "", output.decode())
    assert re.search(r"(?m)^✓ +platform +board", text)
    assert re.search(r"(?m)^! +parser +native +switched off by TRT_POSE_NATIVE=0", text)
    assert "unset TRT_POSE_NATIVE" in text


def test_a_wrong_configuration_ends_it_at_once(environment: dict[str, str]) -> None:
    result = subprocess.run(
        [*COMMAND, "--set", "draw.boxs=1"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "did you mean draw.boxes?" in result.stderr


class TestModel:
    def test_one_that_is_here_passes(self, tmp_path: Path) -> None:
        write_scripted_pose_network(tmp_path)
        check = try_model(Config(model=ModelConfig(name="scripted")), [tmp_path])
        assert check.status == "pass"
        assert check.detail.startswith("scripted@")

    def test_another_that_is_here_is_offered(self, tmp_path: Path) -> None:
        write_scripted_pose_network(tmp_path)
        check = try_model(Config(model=ModelConfig(name="absent")), [tmp_path])
        assert (check.status, check.fix) == ("warn", "trt-pose run SOURCE --model scripted")

    def test_a_damaged_one_is_noticed(self, tmp_path: Path) -> None:
        write_scripted_pose_network(tmp_path)
        spec = tmp_path / "scripted.toml"
        spec.write_text(spec.read_text().replace("[origin]", f'[origin]\nsha256 = "{"0" * 64}"'))
        check = try_model(Config(model=ModelConfig(name="scripted")), [tmp_path])
        assert check.status == "fail"
        assert "sha256" in check.detail

    def test_without_any_model_it_fails(self, tmp_path: Path) -> None:
        check = try_model(Config(model=ModelConfig(name="absent")), [tmp_path])
        assert check.status == "fail"
        assert check.fix.startswith("trt-pose models list")

    def test_one_that_can_be_fetched_says_how(self, tmp_path: Path) -> None:
        check = try_model(Config(model=ModelConfig(name="rtmpose-t-coco17")), [tmp_path])
        assert (check.status, check.fix) == ("fail", "trt-pose models pull rtmpose-t-coco17")


class TestSource:
    @pytest.mark.parametrize(
        ("uri", "status", "detail"),
        [
            ("synthetic://people?n=1&width=320&height=240", "pass", "320 x 240 after"),
            ("absent.mp4", "fail", ""),
            ("ftp://user:hunter2@host/x", "fail", ""),
        ],
    )
    def test_one_frame_is_read(self, uri: str, status: str, detail: str) -> None:
        check = try_source(uri, Config())
        assert check.status == status
        assert check.detail.startswith(detail)
        assert bool(check.fix) == (status == "fail")
        assert "hunter2" not in f"{check}"

    def test_a_dead_network_camera_takes_bounded_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and says nothing
            start = time.monotonic()
            check = try_source(f"rtsp://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/x", Config(), timeout_s=2)
            assert time.monotonic() - start < 8
        assert check.status == "fail"
        assert "hunter2" not in f"{check}"


def broker_check(uri: str, **settings: object) -> Check:
    check = try_broker(uri, MqttConfig(**settings), "doctor-test", timeout_s=2)  # type: ignore[arg-type]
    assert "hunter2" not in f"{check}"
    assert bool(check.fix) == (check.status == "fail")
    return check


class TestBroker:
    @needs_mosquitto
    @pytest.mark.parametrize("protocol", [5, 4])
    def test_a_broker_that_takes_our_messages_passes(self, tmp_path: Path, protocol: int) -> None:
        with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
            until(lambda: subscriber.granted)
            assert broker_check(broker.uri, protocol=protocol).status == "pass"
            (message,) = until(lambda: subscriber.messages)
            assert (message.topic, message.retain) == ("trt-pose/v1/doctor-test/doctor", False)

    @needs_mosquitto
    def test_an_unknown_user_is_refused(self, tmp_path: Path) -> None:
        with Mosquitto(tmp_path, anonymous=False) as broker:
            check = broker_check(broker.uri.replace("//", "//someone:hunter2@"))
        assert (check.status, check.detail) == ("fail", "connection refused: Not authorized")

    @needs_mosquitto
    def test_a_user_without_the_right_to_write_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "acl").write_text("topic read #\n")
        (tmp_path / "acl").chmod(0o700)
        with Mosquitto(tmp_path, f"acl_file {tmp_path}/acl\n") as broker:
            check = broker_check(broker.uri)
        assert (check.status, check.detail) == ("fail", "publishing refused: Not authorized")

    def test_nobody_there(self) -> None:
        check = broker_check(f"mqtt://u:hunter2@127.0.0.1:{(port := free_port())}")
        assert (check.detail, check.fix) == ("Connection refused", f"nc -vz 127.0.0.1 {port}")

    def test_somebody_else_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(1000)

            thread = threading.Thread(target=answer)
            thread.start()
            check = broker_check(f"mqtt://127.0.0.1:{port}")
            thread.join(5)
        assert check.status == "fail"

    def test_silence_takes_bounded_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            start = time.monotonic()
            check = broker_check(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - start < 6
        assert (check.status, check.detail) == ("fail", "no answer within 2 s")

    def test_a_wrong_address(self) -> None:
        assert broker_check("http://u:hunter2@host").status == "fail"
