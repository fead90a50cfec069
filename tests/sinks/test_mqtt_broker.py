"""MQTT addresses and credentials."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.config.schema import MqttConfig
from trt_pose_app.errors import ConfigError
from trt_pose_app.sinks.mqtt_broker import find_broker


@pytest.mark.parametrize(
    ("uri", "host", "port", "username", "password"),
    [
        ("mqtt://broker.local", "broker.local", 1883, None, None),
        ("mqtt://broker.local/", "broker.local", 1883, None, None),
        ("MQTT://127.0.0.1:18830", "127.0.0.1", 18830, None, None),
        ("mqtts://broker.local", "broker.local", 8883, None, None),
        ("mqtts://broker.local:443", "broker.local", 443, None, None),
        ("mqtt://[::1]:1884", "::1", 1884, None, None),
        ("mqtt://me@broker.local", "broker.local", 1883, "me", None),
        ("mqtt://me:p%40s%2Fs%3A%23@broker.local", "broker.local", 1883, "me", "p@s/s:#"),
    ],
)
def test_an_address_names_a_broker(uri: str, host: str, port: int, username: str | None, password: str | None) -> None:
    broker = find_broker(uri, MqttConfig())
    assert (broker.host, broker.port, broker.username, broker.password) == (host, port, username, password)
    assert (broker.tls is not None) == uri.startswith("mqtts")
    assert str(broker) == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("mqtt://", "no host"),
        ("mqtt:broker", "no host"),
        ("mqtt://:1883", "no host"),
        ("mqtt://a..b", "the host is no valid name"),
        ("mqtt://a b", "the host is no valid name"),
        ("mqtt://host:0", "the port"),
        ("mqtt://host:65536", "the port"),
        ("mqtt://host:mqtt", "the port"),
        ("mqtt://host/topic", "something follows"),
        ("mqtt://host?qos=1", "something follows"),
        ("mqtt://host#part", "something follows"),
        ("mqtt://@host", "without a user name"),
        ("mqtt://:secret@host", "without a user name"),
        ("http://host", "not an MQTT address"),
        ("mqtt://[::1", "not an MQTT address"),
    ],
)
def test_a_bad_address_is_refused_with_its_problem(uri: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        find_broker(uri, MqttConfig())
    assert "mqtt://[user@]host" in caught.value.hint


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    config = MqttConfig(password_file=tmp_path / "none", ca_file=tmp_path / "none")
    with pytest.raises(ConfigError) as caught:
        find_broker("mqtt://@a..b:x/y", config)
    assert str(caught.value).count(";") >= 5


@given(st.text(st.characters(codec="utf-8", exclude_characters="%"), min_size=1, max_size=8))
def test_a_password_pasted_without_escapes_is_never_shown(text: str) -> None:
    secret = f"Geheim{text}Wort"
    try:
        broker = find_broker(f"mqtt://user:{secret}@host:1883", MqttConfig())
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error))
    else:
        shown = repr(broker) + str(broker)
    assert "Geheim" not in shown
    assert "Wort" not in shown


def test_a_password_in_the_address_is_warned_about_without_showing_it(caplog: pytest.LogCaptureFixture) -> None:
    find_broker("mqtt://me:s3cret@host", MqttConfig())
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "password_file" in caplog.text
    assert "s3cret" not in caplog.text


def test_options_win_over_the_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "password").write_text("from the file\nsecond line\n")
    config = MqttConfig(username="other", password_file=tmp_path / "password")
    broker = find_broker("mqtt://me:s3cret@host", config)
    assert (broker.username, broker.password) == ("other", "from the file")
    assert not caplog.records


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\nsecond line", "is empty"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_password_file_must_hold_a_password(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "none" if content is None else _write(tmp_path / "password", content)
    with pytest.raises(ConfigError, match=problem):
        find_broker("mqtt://me@host", MqttConfig(password_file=file))


@pytest.mark.parametrize(
    ("uri", "names", "problem"),
    [
        ("mqtts://host", ("ca_file",), "mqtt.ca_file holds no certificates"),
        ("mqtts://host", ("cert_file",), "mqtt.cert_file and key_file are not"),
        ("mqtts://host", ("cert_file", "key_file"), "mqtt.cert_file and key_file are not"),
        ("mqtt://host", ("ca_file",), "need mqtts://"),
        ("mqtt://host", ("cert_file", "key_file"), "need mqtts://"),
    ],
)
@pytest.mark.parametrize("content", [None, b"no PEM"])
def test_certificates_must_be_some_and_only_go_with_tls(
    tmp_path: Path, uri: str, names: tuple[str, ...], problem: str, content: bytes | None
) -> None:
    file = tmp_path / "none" if content is None else _write(tmp_path / "some.pem", content)
    options: dict[str, Any] = dict.fromkeys(names, file)
    with pytest.raises(ConfigError, match=problem):
        find_broker(uri, MqttConfig(**options))
