"""``mqtt://``: one message for each frame to a broker, and retained ones that say who we are and whether we live."""

from __future__ import annotations

import json
import logging
import platform
from typing import TYPE_CHECKING, Any

import paho.mqtt

import trt_pose_app
from trt_pose_app.errors import ConfigError, SinkError
from trt_pose_app.message import SCHEMA, RunInfo, encode, pose_message
from trt_pose_app.sinks.mqtt_broker import find_broker
from trt_pose_app.sinks.mqtt_client import Retained
from trt_pose_app.sinks.mqtt_link import BrokerLink
from trt_pose_app.sinks.mqtt_outbox import Outbox
from trt_pose_app.types import Frame, Poses, Timings

if TYPE_CHECKING:
    from trt_pose_app.config.schema import MqttConfig

logger = logging.getLogger(__name__)

INFO_SCHEMA = "trt-pose/info/1"

_DRAIN_LIVE_S, _DRAIN_FILE_S = 2.0, 10.0


class MqttSink:
    """Publishes to ``<prefix>/<device>/<camera>/poses``; docs/mqtt.md lists the topics.

    In a live run ``emit`` never waits: the oldest messages are dropped and counted. In the run of a file it waits for
    room, so that every frame's message goes out in order, and ``close``, from any thread, ends that wait.
    Raises ConfigError for a bad address or option, and SinkError where messages of a file cannot be delivered.
    """

    def __init__(self, uri: str, run: RunInfo, config: MqttConfig) -> None:
        for level in (run.device, run.camera):
            if not level or set(level) & set("+#/\0"):
                raise ConfigError(
                    f"{level!r} cannot be a part of an MQTT topic", hint="set device.id and device.camera without + # /"
                )
        self._broker = find_broker(uri, config)
        self._run = run
        self._qos = config.qos
        self._outbox = Outbox(config.outbox, drop_oldest=run.live)
        self._closed = False
        self._emitting = False
        device = f"{config.topic_prefix}/{run.device}"
        camera = f"{device}/{run.camera}"
        self._link = BrokerLink(
            self._broker,
            config,
            client_id=config.client_id or f"trt-pose-{run.device}-{run.camera}",
            topic=f"{camera}/poses",
            outbox=self._outbox,
            live=run.live,
            will=Retained(f"{device}/status", "offline"),
            greeting=(
                Retained(f"{device}/status", "online"),
                Retained(f"{device}/info", json.dumps(info_message(run), separators=(",", ":"))),
                Retained(f"{camera}/status", "online"),
            ),
            farewell=(Retained(f"{camera}/status", "stopped"), Retained(f"{device}/status", "stopped")),
        )
        self._link.start()

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def published(self) -> int:
        """Messages that the broker confirmed (QoS 1), or that were written to the connection (QoS 0)."""
        return self._link.published

    @property
    def dropped(self) -> int:
        return self._outbox.dropped

    @property
    def reconnects(self) -> int:
        return self._link.reconnects

    @property
    def failures(self) -> dict[str, int]:
        """How often each thing went wrong, such as ``publish: Not authorized``."""
        return dict(self._link.failures)

    def stats(self) -> dict[str, Any]:
        """Return the counters since the start."""
        return {
            "connected": self.connected,
            "published": self.published,
            "dropped": self.dropped,
            "refused": self._link.refused,
            "waiting": len(self._outbox),
            "reconnects": self.reconnects,
            "failures": self.failures,
        }

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        if self._closed:
            raise SinkError("the MQTT sink is closed", hint="open a new one")
        if not self._link.alive:
            raise self._error("cannot be used")
        if self._run.live and self._qos == 0 and not self._link.connected:
            self._outbox.skip()
            return
        message = encode(pose_message(self._run, frame, poses, timings))
        self._emitting = True
        try:
            self._outbox.put(message.encode())
        finally:
            self._emitting = False
        self._link.wake()

    def close(self) -> None:
        """Deliver what waits (2 s at most if live, else 10 s) and leave the status ``stopped``.

        Called while an ``emit`` waits, or a second time while the first call does, it is an interruption and is brief.
        Raises SinkError, for a file, if messages were lost.
        """
        if self._closed:
            self._link.hurry()
            return
        self._closed = True
        self._link.close(_DRAIN_LIVE_S if self._run.live or self._emitting else _DRAIN_FILE_S)
        unsent, refused = self._link.unsent, self._link.refused
        if self._run.live:
            return
        lost = unsent + refused + self._outbox.dropped
        if lost:
            raise self._error(f"did not get {lost} of {lost + self._link.published} messages")
        if self._qos == 0 and self._link.reconnects:
            logger.warning(
                "the connection to %s broke %d times: what was under way with QoS 0 is lost; set mqtt.qos = 1",
                self._broker,
                self._link.reconnects,
            )
        if self._qos == 0 and self._link.published and not self._link.said_farewell:
            raise self._error("did not confirm the end of the run, so that the last messages may be lost")

    def _error(self, what: str) -> SinkError:
        failures = ", ".join(f"{name}: {count}" for name, count in self.failures.items()) or "no failure was reported"
        hint = self._link.gave_up or f"check that the broker runs and lets this device write (seen: {failures})"
        return SinkError(f"the MQTT broker {self._broker} {what}", hint=hint)


def info_message(run: RunInfo) -> dict[str, Any]:
    """Return what a consumer must know once to read the poses of ``run``."""
    return {
        "schema": INFO_SCHEMA,
        "poses_schema": SCHEMA,
        "device": run.device,
        "camera": run.camera,
        "source": run.source,
        "live": run.live,
        "fps": run.fps,
        "boot_id": run.boot_id,
        "model": run.model,
        "backend": run.backend,
        "skeleton": run.skeleton.name,
        "parts": list(run.skeleton.parts),
        "limbs": [list(limb) for limb in run.skeleton.limbs],
        "versions": {
            "trt_pose_app": trt_pose_app.__version__,
            "python": platform.python_version(),
            "paho_mqtt": paho.mqtt.__version__,
        },
    }
