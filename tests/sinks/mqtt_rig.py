"""A real mosquitto on a free loopback port, a subscriber, and the frames of a run to publish."""

from __future__ import annotations

import getpass
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from trt_pose_app.message import RunInfo
from trt_pose_app.skeleton import COCO17
from trt_pose_app.types import Frame, Poses, Timings

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/usr/bin:/usr/local/bin")
IMAGE = np.zeros((48, 64, 3), np.uint8)


def run_info(*, live: bool, device: str = "jetson-01") -> RunInfo:
    return RunInfo(device, "cam0", "people.mp4", "5f2c", "pose-nano@3fa91c02", COCO17, "onnxruntime-cpu", live, 30.0)


def result(seq: int, n_people: int = 2) -> tuple[Frame, Poses, Timings]:
    """One frame's result, as the pipeline hands it to a sink."""
    spread = np.random.default_rng(seq)
    xy = spread.uniform(0, 640, (n_people, 17, 2)).astype(np.float32)
    score = spread.uniform(0.1, 1, (n_people, 17)).astype(np.float32)
    score[:, 3], xy[:, 3] = 0, np.nan
    box = np.tile(np.float32([10, 20, 110, 220]), (n_people, 1))
    person = np.linspace(0.9, 0.5, n_people, dtype=np.float32)
    poses = Poses(xy, score, person, box, np.arange(n_people, dtype=np.int32), COCO17)
    frame = Frame(IMAGE, seq, time.monotonic(), time.time(), "people.mp4", seq / 30)
    return frame, poses, Timings(infer_ms=8.9, total_ms=15.2, seq=seq)


def until(condition: Callable[[], Any], timeout_s: float = 10) -> Any:
    """Return ``condition()`` as soon as it is true; fail after ``timeout_s``."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {timeout_s} s")
        time.sleep(0.01)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """A broker that can be killed, frozen and started again on the same port with the same store."""

    def __init__(self, folder: Path, settings: str = "", *, anonymous: bool = True) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n"
            f"user {getpass.getuser()}\n"
            f"allow_anonymous {str(anonymous).lower()}\n"
            f"persistence_location {folder}/\n"
            f"{settings}"
        )

    @property
    def uri(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Subscriber:
    """Collects what is published below ``topic``; with a ``session`` the broker keeps messages while it is away."""

    def __init__(
        self,
        broker: Mosquitto,
        topic: str = "trt-pose/v1/#",
        *,
        session: str = "",
        user: tuple[str, str] | None = None,
        receive: Callable[[Any, Any, Any], None] | None = None,
    ) -> None:
        self.messages: list[Any] = []
        self.granted = 0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=session, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = receive or (lambda client, data, message: self.messages.append(message))
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "granted", self.granted + 1)
        if user:
            self._client.username_pw_set(*user)
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 60 if session else 0
        keep.ReceiveMaximum = 20  # what the broker may repeat after its restart
        self._client.connect("127.0.0.1", broker.port, clean_start=not session, properties=keep)

    def __enter__(self) -> Subscriber:
        self._client.loop_start()
        until(lambda: self.granted)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def payloads(self, topic: str) -> list[str]:
        return [m.payload.decode() for m in list(self.messages) if m.topic == f"trt-pose/v1/jetson-01/{topic}"]

    def poses(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads("cam0/poses")]

    def frames(self) -> list[int]:
        return [message["frame"] for message in self.poses()]
