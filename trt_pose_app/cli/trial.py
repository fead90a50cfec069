"""Trials of what lies outside this process: models, cameras, one source, one broker. Each ends in bounded time."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from trt_pose_app.config.schema import Config, MqttConfig
from trt_pose_app.errors import TrtPoseError
from trt_pose_app.estimators.models import find_models
from trt_pose_app.models.store import installed
from trt_pose_app.models.zoo import read_zoo
from trt_pose_app.probe.check import Check
from trt_pose_app.sources import open_source
from trt_pose_app.sources.cameras import list_cameras
from trt_pose_app.sources.uri import redact

_Result = TypeVar("_Result")


def try_model(config: Config, search: Sequence[Path]) -> Check:
    """Look for the configured model, and compare its checksum."""
    name = config.model.name
    try:
        models = find_models(name, config.model, search)
        models.verify()
    except TrtPoseError as error:
        usable = [file.name for file in installed(search) if file.spec is not None and file.spec.kind == "paf"]
        others = [other for other in usable if other != name]
        detail = f"{error.message}; here are: {', '.join(others) or 'none'}"
        fetch = (
            f"trt-pose models pull {name}"
            if name in read_zoo()
            else "trt-pose models list  (then: trt-pose models pull NAME)"
        )
        if others:
            return Check("models", name, "warn", detail, f"trt-pose run SOURCE --model {others[0]}")
        return Check("models", name, "fail", detail, fetch)
    return Check("models", name, "pass", ", ".join(f"{bundle.label} at {bundle.path}" for bundle in models.bundles))


def list_camera_checks(jetson: bool, argus: bool) -> list[Check]:
    """Return a check for each camera, and for the daemon that serves the CSI sensors of a Jetson."""
    checks = []
    cameras = list_cameras()
    for camera in cameras:
        if camera.problem is None:
            checks.append(Check("cameras", camera.uri, "pass", camera.name))
        else:
            denied = "denied" in camera.problem.lower()
            fix = "sudo usermod -aG video $USER  (then log in again)" if denied else f"sudo fuser -v {camera.device}"
            checks.append(Check("cameras", camera.uri, "warn", f"{camera.name}: {camera.problem}", fix))
    if not cameras:
        checks.append(Check("cameras", "list", "pass", "none found; files and network cameras need none"))
    if jetson and not argus and any(camera.kind == "csi" for camera in cameras):
        fix = "sudo systemctl restart nvargus-daemon"
        detail = "its socket /tmp/argus_socket is missing: CSI cameras cannot be opened"
        checks.append(Check("cameras", "nvargus-daemon", "warn", detail, fix))
    return checks


def try_source(uri: str, config: Config, timeout_s: float = 8.0) -> Check:
    """Read one frame."""
    name = redact(uri)

    def first_frame() -> str:
        start = time.monotonic()
        source = open_source(uri, config.source)
        try:
            frame = source.read(timeout_s)
        finally:
            source.close()
        if frame is None:
            return ""
        return f"{frame.width} x {frame.height} after {time.monotonic() - start:.1f} s"

    try:
        detail = _within(timeout_s + 2, first_frame)
    except TimeoutError:
        return Check("source", name, "fail", "opening it did not end in time", "trt-pose cameras")
    except TrtPoseError as error:
        return Check("source", name, "fail", error.message, error.hint)
    if not detail:
        return Check("source", name, "fail", "holds no frame", "ffprobe FILE")
    return Check("source", name, "pass", detail)


def try_broker(uri: str, config: MqttConfig, device: str, timeout_s: float = 5.0) -> Check:
    """Connect to a broker and publish one message that nobody keeps, so that its rights are tested too."""
    from paho.mqtt import MQTTException

    from trt_pose_app.sinks.mqtt_broker import connect_hint, find_broker

    name = redact(uri)
    try:
        broker = find_broker(uri, config)
    except TrtPoseError as error:
        return Check("mqtt", name, "fail", error.message, error.hint)
    reach = f"nc -vz {broker.host} {broker.port}"
    secure = f"openssl s_client -connect {broker.host}:{broker.port}"
    try:
        refusal = _within(timeout_s + 2, lambda: _round_trip(broker, config, device, timeout_s))
    except (TimeoutError, socket.timeout):  # noqa: UP041 (two types until Python 3.10)
        return Check("mqtt", name, "fail", f"no answer within {timeout_s:g} s", reach)
    except OSError as error:
        fix = secure if isinstance(error, ssl.SSLCertVerificationError) else connect_hint(broker, error) or reach
        return Check("mqtt", name, "fail", error.strerror or type(error).__name__, fix)
    except (MQTTException, ValueError, LookupError, TypeError, struct.error):  # paho, given something else to read
        return Check("mqtt", name, "fail", "something answers there that does not speak MQTT", reach)
    if refusal:
        rights = "check user, mqtt.password_file and the ACL: sudo journalctl -u mosquitto -n 20"
        return Check("mqtt", name, "fail", refusal, rights)
    return Check("mqtt", name, "pass", f"connected, and may publish to {config.topic_prefix}/{device}/...")


def _round_trip(broker: Any, config: MqttConfig, device: str, timeout_s: float) -> str:
    """Return the broker's refusal, or an empty text. Raises OSError."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    answers: dict[str, str] = {}
    protocol = MQTTProtocolVersion.MQTTv5 if config.protocol == 5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.connect_timeout = timeout_s
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls is not None:
        client.tls_set_context(broker.tls)

    def note(step: str, reason: Any) -> None:
        answers[step] = f"{step} refused: {reason}" if reason.is_failure else ""

    client.on_connect = lambda _client, _data, _flags, reason, _properties: note("connection", reason)
    client.on_publish = lambda _client, _data, _id, reason, _properties: note("publishing", reason)
    deadline = time.monotonic() + timeout_s
    client.connect(broker.host, broker.port)
    try:
        for step in ("connection", "publishing"):
            while step not in answers:
                if time.monotonic() > deadline:
                    raise TimeoutError
                if client.loop(0.1) and step not in answers:
                    return f"the broker closed the {step}"
            if answers[step]:
                return answers[step]
            if step == "connection":
                client.publish(f"{config.topic_prefix}/{device}/doctor", "trt-pose doctor", qos=1)
    finally:
        client.disconnect()
    return ""


def _within(timeout_s: float, job: Callable[[], _Result]) -> _Result:
    """Return what ``job`` returns or raise what it raises; TimeoutError if it has not ended. It is then left alone."""
    outcome: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put((True, job()))
        except Exception as error:  # noqa: BLE001 (handed to the caller's thread)
            outcome.put((False, error))

    threading.Thread(target=work, name="trial", daemon=True).start()
    try:
        good, value = outcome.get(timeout=timeout_s)
    except Empty:
        raise TimeoutError from None
    if not good:
        raise value
    result: _Result = value
    return result
