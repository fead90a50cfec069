"""The MQTT sink against a real mosquitto: delivery, outages, status, refusals."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.sinks.mqtt_rig import MOSQUITTO, Mosquitto, Subscriber, free_port, result, run_info, until
from trt_pose_app.config.schema import MqttConfig
from trt_pose_app.errors import ConfigError, SinkError
from trt_pose_app.message import schema
from trt_pose_app.sinks.mqtt import MqttSink
from trt_pose_app.skeleton import COCO17

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto (apt install mosquitto)")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs/mqtt.md"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, "max_queued_messages 0\n") as running:
        yield running


@pytest.fixture
def sinks() -> Iterator[Any]:
    """Opens sinks and closes them whatever happens."""
    opened: list[MqttSink] = []

    def open_sink(uri: str, *, live: bool, device: str = "jetson-01", **options: Any) -> MqttSink:
        opened.append(MqttSink(uri, run_info(live=live, device=device), MqttConfig(**options)))
        return opened[-1]

    yield open_sink
    for sink in opened:
        with contextlib.suppress(SinkError):
            sink.close()


@pytest.mark.parametrize("options", [{"qos": 0}, {"qos": 1}, {"qos": 1, "protocol": 4}, {"qos": 1, "outbox": 1}])
def test_every_message_of_a_file_arrives_in_order(broker: Mosquitto, sinks: Any, options: dict[str, int]) -> None:
    sink = sinks(broker.uri, live=False, **options)
    with Subscriber(broker) as subscriber:
        for seq in range(2000):
            sink.emit(*result(seq))
        sink.close()
        until(lambda: len(subscriber.payloads("cam0/poses")) >= 2000)
    assert subscriber.frames() == list(range(2000))
    assert sink.stats() == {
        "connected": False,
        "published": 2000,
        "dropped": 0,
        "refused": 0,
        "waiting": 0,
        "reconnects": 0,
        "failures": {},
    }


def test_a_pose_message_follows_the_schema_and_carries_its_properties(broker: Mosquitto, sinks: Any) -> None:
    sink = sinks(broker.uri, live=False, expiry_s=7)
    with Subscriber(broker) as subscriber:
        for seq, n_people in enumerate((0, 1, 20)):
            sink.emit(*result(seq, n_people))
        sink.close()
        until(lambda: len(subscriber.payloads("cam0/poses")) == 3)
    for message in subscriber.poses():
        jsonschema.validate(message, schema())
    received = next(m for m in subscriber.messages if m.topic.endswith("/poses"))
    assert not received.retain
    assert received.properties.ContentType == "application/json"
    assert 0 < received.properties.MessageExpiryInterval <= 7


def test_the_retained_messages_tell_a_late_comer_everything(broker: Mosquitto, sinks: Any) -> None:
    sink = sinks(broker.uri, live=True)
    with Subscriber(broker) as early:
        until(lambda: len({m.topic for m in early.messages}) == 3)
    with Subscriber(broker) as subscriber:
        until(lambda: len(subscriber.messages) == 3)
        assert all(m.retain for m in subscriber.messages)
        assert subscriber.payloads("status") == ["online"]
        assert subscriber.payloads("cam0/status") == ["online"]
        info = json.loads(subscriber.payloads("info")[0])
        assert info["parts"] == list(COCO17.parts)
        assert info["limbs"] == [list(limb) for limb in COCO17.limbs]
        assert {info["schema"], info["poses_schema"]} == {"trt-pose/info/1", "trt-pose/poses/1"}
        assert {key for key in info if f"`{key}`" not in DOCS.read_text()} == set(), "docs/mqtt.md names every field"

        sink.close()
        until(lambda: subscriber.payloads("status") == ["online", "stopped"])
        assert subscriber.payloads("cam0/status") == ["online", "stopped"]


def test_a_killed_process_leaves_the_status_offline(broker: Mosquitto) -> None:
    program = (
        "import time\n"
        "from tests.sinks.mqtt_rig import run_info\n"
        "from trt_pose_app.config.schema import MqttConfig\n"
        "from trt_pose_app.sinks.mqtt import MqttSink\n"
        f"sink = MqttSink({broker.uri!r}, run_info(live=True), MqttConfig())\n"
        "time.sleep(30)\n"
    )
    with Subscriber(broker) as subscriber, subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as process:
        try:
            until(lambda: subscriber.payloads("status") == ["online"])
        finally:
            process.send_signal(signal.SIGKILL)
        until(lambda: subscriber.payloads("status") == ["online", "offline"])


def test_nothing_acknowledged_is_lost_or_reordered_when_the_broker_restarts(tmp_path: Path, sinks: Any) -> None:
    """QoS 1, a broker that keeps its store and a subscriber with a session: all arrive, some twice."""
    with Mosquitto(tmp_path, "persistence true\nmax_queued_messages 0\n") as broker:
        sink = sinks(broker.uri, live=False, qos=1)
        with Subscriber(broker, session="reader") as subscriber:
            for seq in range(2000):
                if seq == 700:
                    broker.stop()
                    threading.Timer(0.5, broker.start).start()
                sink.emit(*result(seq))
            sink.close()
            until(lambda: len(set(subscriber.frames())) == 2000, 20)
        frames = subscriber.frames()
    assert list(dict.fromkeys(frames)) == list(range(2000)), "in order once repeats are dropped"
    assert len(frames) - 2000 <= 100, "only what was on the wire, to and from the broker, comes twice"
    assert sink.reconnects == 1


def test_with_qos_0_a_restart_loses_what_was_under_way_and_the_rest_arrives_in_order(
    broker: Mosquitto, sinks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sinks(broker.uri, live=False, qos=0)
    with Subscriber(broker) as subscriber:
        for seq in range(1000):
            if seq == 500:
                broker.stop()
                broker.start()
                until(lambda: subscriber.granted == 2)
            sink.emit(*result(seq))
        sink.close()
        until(lambda: subscriber.frames()[-1:] == [999])
    frames = subscriber.frames()
    assert frames == sorted(set(frames))
    assert frames[-500:] == list(range(500, 1000)), "all that was emitted after the restart"
    assert sink.reconnects == 1
    assert "set mqtt.qos = 1" in caplog.text


@pytest.mark.parametrize("live", [False, True])
def test_a_broker_that_is_absent_at_the_start_is_awaited(
    tmp_path: Path, sinks: Any, caplog: pytest.LogCaptureFixture, live: bool
) -> None:
    broker = Mosquitto(tmp_path)
    sink = sinks(broker.uri, live=live, outbox=4)
    emitted = threading.Event()

    def emit_ten() -> None:
        for seq in range(10):
            sink.emit(*result(seq))
        emitted.set()

    threading.Thread(target=emit_ten).start()
    assert emitted.wait(0.5) == live, "only a live run goes on without a broker"
    until(lambda: sum(sink.failures.values()) >= 2)
    waiting = [r.getMessage() for r in caplog.records if "waiting for the MQTT broker" in r.getMessage()]
    assert len(waiting) == 1
    assert str(broker.port) in waiting[0]
    assert "Connection refused" in waiting[0]
    started_s = time.monotonic()
    with broker, Subscriber(broker) as subscriber:
        until(lambda: sink.connected)
        assert time.monotonic() - started_s < 5
        if live:
            assert sink.dropped == 10
            sink.emit(*result(10))
        assert emitted.wait(5)
        until(lambda: subscriber.frames() == ([10] if live else list(range(10))))


def test_a_live_run_is_not_held_up_by_a_frozen_broker(broker: Mosquitto, sinks: Any) -> None:
    sink = sinks(broker.uri, live=True)
    until(lambda: sink.connected)
    sample = result(0, n_people=20)
    for _ in range(200):
        sink.emit(*sample)
    broker.freeze()
    waits_s, before = [], _resident_bytes()
    for _ in range(3000):  # 24 MB
        start_s = time.monotonic()
        sink.emit(*sample)
        waits_s.append(time.monotonic() - start_s)
    assert sorted(waits_s)[-10] < 0.05, "but for the odd moment in which this busy machine ran something else"
    assert max(waits_s) < 0.5
    assert _resident_bytes() - before < 6_000_000
    assert sink.stats()["waiting"] == 64
    assert sink.dropped > 2000
    start_s = time.monotonic()
    sink.close()
    assert time.monotonic() - start_s < 3.5
    broker.thaw()


def test_after_an_outage_a_live_run_sends_nothing_stale(broker: Mosquitto, sinks: Any) -> None:
    sink = sinks(broker.uri, live=True, qos=1, expiry_s=1)
    until(lambda: sink.connected)
    broker.stop()
    until(lambda: not sink.connected)
    sink.emit(*result(0))
    assert sink.stats()["waiting"] == 1
    emitted_s = time.monotonic()
    until(lambda: time.monotonic() - emitted_s > 1.1)
    broker.start()
    with Subscriber(broker) as subscriber:
        until(lambda: sink.connected)
        sink.emit(*result(1))
        until(lambda: subscriber.frames() == [1])
    assert sink.dropped == 1


def test_close_from_another_thread_ends_a_blocked_emit(sinks: Any) -> None:
    sink = sinks(f"mqtt://127.0.0.1:{free_port()}", live=False, outbox=1)
    sink.emit(*result(0))
    blocked = threading.Thread(target=sink.emit, args=result(1))
    blocked.start()
    until(lambda: sink._emitting)
    start_s = time.monotonic()
    with pytest.raises(SinkError, match="did not get 2 of 2 messages"):
        sink.close()
    assert time.monotonic() - start_s < 4
    blocked.join(1)
    assert not blocked.is_alive()
    with pytest.raises(SinkError, match="closed"):
        sink.emit(*result(2))


def test_a_second_close_ends_a_first_one_that_waits_for_the_broker(sinks: Any) -> None:
    sink = sinks(f"mqtt://127.0.0.1:{free_port()}", live=False)
    sink.emit(*result(0))
    errors: list[str] = []

    def close() -> None:
        try:
            sink.close()
        except SinkError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=close)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "a file's messages are worth a wait"
    sink.close()
    waiting.join(2)
    assert "did not get 1 of 1 messages" in errors[0]


def test_many_sinks_in_turn_leave_no_thread_and_no_file_open(broker: Mosquitto) -> None:
    def resources() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()
    before = resources()
    for _ in range(20):
        sink = MqttSink(broker.uri, run_info(live=False), MqttConfig())
        sink.emit(*result(0))
        sink.close()
    assert resources() == before


# Refusals


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with the settings and the access list that docs/mqtt.md recommends."""
    settings, access = re.findall(r"```text\n(.*?)```", DOCS.read_text(), re.DOTALL)[:2]
    settings = settings.replace("/etc/mosquitto", str(tmp_path))
    settings = "\n".join(line for line in settings.splitlines() if not line.startswith(("listener", "allow_anonymous")))
    (tmp_path / "acl").write_text(access)
    (tmp_path / "passwd").write_text("jetson-01:s3cret\nviewer:v1ew\n")
    subprocess.run(["mosquitto_passwd", "-U", str(tmp_path / "passwd")], check=True)
    with Mosquitto(tmp_path, settings + "\n", anonymous=False) as running:
        yield running


def _address(broker: Mosquitto, credentials: str) -> str:
    return broker.uri.replace("//", f"//{credentials}@")


def test_the_documented_settings_let_a_device_write_and_a_viewer_read(
    guarded: Mosquitto, sinks: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "password").write_text("s3cret\n")
    sink = sinks(_address(guarded, "jetson-01"), live=False, qos=1, password_file=tmp_path / "password")
    with Subscriber(guarded, user=("viewer", "v1ew")) as viewer:
        sink.emit(*result(0))
        sink.close()
        until(lambda: viewer.frames() == [0])
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("protocol", [5, 4])
def test_wrong_credentials_are_counted_and_never_shown(
    guarded: Mosquitto, sinks: Any, caplog: pytest.LogCaptureFixture, protocol: int
) -> None:
    caplog.set_level(logging.DEBUG)
    address = _address(guarded, "jetson-01:wr0ng-s3cret")
    live = sinks(address, live=True, protocol=protocol)
    until(lambda: live.failures.get("connect: Not authorized", 0) >= 2)
    assert not live.connected
    live.emit(*result(0))
    assert live.dropped == 1

    file = sinks(address, live=False, protocol=protocol)
    with pytest.raises(SinkError, match="password_file") as caught:
        _emit_many(file)
    assert "wr0ng" not in caplog.text + str(caught.value) + repr(live.__dict__) + repr(live._broker)
    assert len([r for r in caplog.records if r.levelno == logging.WARNING and "Not authorized" in r.message]) == 1


def test_messages_that_the_access_list_forbids_are_counted(
    guarded: Mosquitto, sinks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sinks(_address(guarded, "jetson-01:s3cret"), live=False, qos=1, device="jetson-02")
    for seq in range(5):
        sink.emit(*result(seq))
    with pytest.raises(SinkError, match="did not get 5 of 5 messages"):
        sink.close()
    assert sink.failures == {"publish: Not authorized": 5 + 5}
    assert sink.published == 0
    refusals = [r.message for r in caplog.records if "refuses" in r.message and r.levelno == logging.WARNING]
    assert len(refusals) == 1
    assert "ACL" in refusals[0]


def test_a_message_larger_than_the_broker_takes_is_counted_and_the_next_one_sent(tmp_path: Path, sinks: Any) -> None:
    with Mosquitto(tmp_path, "max_packet_size 2000\n") as broker, Subscriber(broker) as subscriber:
        sink = sinks(broker.uri, live=True, qos=1)
        until(lambda: sink.connected)
        for seq, n_people in enumerate((1, 20, 1)):
            sink.emit(*result(seq, n_people))
        until(lambda: subscriber.frames() == [0, 2])
        assert sink.failures == {"publish: Packet too large": 1}
        assert sink.reconnects == 0


def test_two_runs_with_one_name_are_told_so(broker: Mosquitto, sinks: Any, caplog: pytest.LogCaptureFixture) -> None:
    first = sinks(broker.uri, live=True)
    until(lambda: first.connected)
    sinks(broker.uri, live=True)
    until(lambda: "another client has this client id" in caplog.text)


def test_a_port_that_speaks_something_else_is_retried(sinks: Any, caplog: pytest.LogCaptureFixture) -> None:
    greetings = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x03\x00\xfe\x00", b"\x20\x00", b"\xff" * 64]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for greeting in greetings:
                connection = server.accept()[0]
                with connection:
                    connection.recv(4096)
                    connection.sendall(greeting)

        threading.Thread(target=answer, daemon=True).start()
        sink = sinks(f"mqtt://127.0.0.1:{server.getsockname()[1]}", live=True)
        until(lambda: "MQTT broker" in caplog.text)
        until(lambda: sum(sink.failures.values()) >= 2 and sink._link.alive)


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, a broker certificate for localhost, a client certificate, and a foreign authority."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for authority in ("ca", "foreign"):
        openssl(
            "req", "-x509", *key, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.crt"
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    for name in ("broker", "client"):
        openssl("req", *key[:-2], "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.crt")
    openssl("pkey", "-in", "client.key", "-aes256", "-passout", "pass:geheim", "-out", "locked.key")
    return folder


@pytest.fixture
def secure(certificates: Path, tmp_path: Path) -> Iterator[Mosquitto]:
    files = f"cafile {certificates}/ca.crt\ncertfile {certificates}/broker.crt\nkeyfile {certificates}/broker.key\n"
    with Mosquitto(tmp_path, files + "require_certificate true\n") as running:
        yield running


def test_over_tls_with_a_client_certificate_every_message_arrives(
    secure: Mosquitto, sinks: Any, certificates: Path
) -> None:
    identity = {"cert_file": certificates / "client.crt", "key_file": certificates / "client.key"}
    sink = sinks(f"mqtts://localhost:{secure.port}", live=False, ca_file=certificates / "ca.crt", **identity)
    for seq in range(500):
        sink.emit(*result(seq))
    sink.close()
    assert sink.published == 500


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        pytest.param("localhost", "foreign.crt", id="an authority that did not sign it"),
        pytest.param("localhost", None, id="the system's authorities"),
        pytest.param("127.0.0.1", "ca.crt", id="a certificate for another name"),
    ],
)
def test_a_broker_that_cannot_prove_itself_gets_nothing(
    secure: Mosquitto, sinks: Any, certificates: Path, host: str, authority: str | None
) -> None:
    ca_file = certificates / authority if authority else None
    live = sinks(f"mqtts://{host}:{secure.port}", live=True, ca_file=ca_file)
    until(lambda: live.failures.get("connect: SSLCertVerificationError"))
    file = sinks(f"mqtts://{host}:{secure.port}", live=False, ca_file=ca_file)
    with pytest.raises(SinkError, match=r"mqtt\.ca_file"):
        _emit_many(file)
    assert not live.connected


def test_without_the_client_certificate_that_the_broker_wants_nothing_is_published(
    secure: Mosquitto, sinks: Any, certificates: Path
) -> None:
    sink = sinks(f"mqtts://localhost:{secure.port}", live=True, ca_file=certificates / "ca.crt")
    until(lambda: sink.failures)
    assert sink.published == 0


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_the_wrong_one_of_plain_and_tls_is_told(
    broker: Mosquitto, secure: Mosquitto, sinks: Any, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    port, hint = (secure.port, "whether it wants mqtts://") if scheme == "mqtt" else (broker.port, "may not speak TLS")
    sinks(f"{scheme}://localhost:{port}", live=True)
    until(lambda: hint in caplog.text)


def test_an_encrypted_key_is_refused_without_asking(certificates: Path, sinks: Any) -> None:
    with pytest.raises(ConfigError, match="unencrypted key"):
        sinks(
            "mqtts://localhost",
            live=True,
            cert_file=certificates / "client.crt",
            key_file=certificates / "locked.key",
        )


def _emit_many(sink: MqttSink) -> None:
    for seq in range(1000):
        sink.emit(*result(seq))


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
