"""A paho client set up for poses: identity, will, TLS, socket options; not yet connected."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from trt_pose_app.sinks.mqtt_broker import Broker

if TYPE_CHECKING:
    from trt_pose_app.config.schema import MqttConfig

_CONNECT_TIMEOUT_S = 5.0
# What the kernel may hold unsent. Unlimited, it hides seconds of old poses from an outbox that keeps the newest.
_UNSENT_BYTES = 32768


@dataclass(frozen=True, slots=True)
class Retained:
    """A message that the broker keeps for those who come later. Always sent with QoS 1."""

    topic: str
    payload: str


def new_client(broker: Broker, config: MqttConfig, client_id: str, will: Retained) -> Client:
    """Return a client that knows where and as whom to connect; the broker publishes ``will`` if it vanishes."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5 if config.protocol == 5 else MQTTProtocolVersion.MQTTv311,
    )
    client.connect_timeout = _CONNECT_TIMEOUT_S
    client.will_set(will.topic, will.payload, qos=1, retain=True)
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls is not None:
        client.tls_set_context(broker.tls)
    client.on_socket_open = _tune
    client.connect_async(broker.host, broker.port, config.keepalive_s)
    return client


def pose_properties(expiry_s: int) -> Properties:
    """Return what MQTT 5 tells a subscriber about each pose message."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    properties.MessageExpiryInterval = expiry_s
    return properties


def _tune(_client: Client, _data: Any, sock: Any) -> None:
    # Nagle and delayed acknowledgements together cost up to 40 ms when status and poses share a connection.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
