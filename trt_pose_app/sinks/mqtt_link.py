"""One connection to a broker, opened again whenever it is lost, on a thread of its own.

The thread runs paho through its interface for foreign event loops. So one thread does everything that touches the
client, no callback can overtake a publish, and the reason of a failed attempt is an exception here, not a guess.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import MQTTException, Properties  # type: ignore[attr-defined]
from paho.mqtt.reasoncodes import ReasonCode

from trt_pose_app.sinks.mqtt_broker import Broker, connect_hint
from trt_pose_app.sinks.mqtt_client import Retained, new_client, pose_properties
from trt_pose_app.sinks.mqtt_outbox import Outbox

if TYPE_CHECKING:
    from trt_pose_app.config.schema import MqttConfig

logger = logging.getLogger(__name__)

# Messages on the wire and not confirmed. mosquitto grants 20; the difference is for the retained ones.
_WINDOW, _RESERVED = 16, 4
_TURN_S = 1.0
# A broker that comes back is found within 4 s; one that refuses us is not asked as often.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGEST_PAUSE_REFUSED_S = 0.5, 4.0, 30.0
# After a shorter connection, pauses go on growing and complaints are not repeated.
_STEADY_S = 10.0
# Refusals that time does not heal.
_HINTS = {
    "Bad user name or password": "check the user name and mqtt.password_file",
    "Not authorized": "check the user name, mqtt.password_file and what the broker's ACL lets this user write",
    "Client identifier not valid": "set mqtt.client_id to a name that the broker accepts",
    "Unsupported protocol version": "set mqtt.protocol = 4",
}
# What paho before 2.2 raises when the other side does not speak MQTT; later ones report it like a lost connection.
# (Its version 2.0 has several classes of the name MQTTException; this is the one that it raises.)
_GARBAGE = (MQTTException, ValueError, LookupError, TypeError, struct.error)


class BrokerLink:
    """Sends the payloads of ``outbox`` to ``topic`` for as long as it lives.

    After every connect it publishes ``greeting``, after a complete ``close`` it publishes ``farewell``; the broker
    publishes ``will`` if the connection ends otherwise. A ``live`` link drops what is older than ``expiry_s``. One
    that is not live keeps every payload until it is sent, and gives up when the broker refuses us for good.
    """

    def __init__(
        self,
        broker: Broker,
        config: MqttConfig,
        *,
        client_id: str,
        topic: str,
        outbox: Outbox,
        live: bool,
        will: Retained,
        greeting: Sequence[Retained],
        farewell: Sequence[Retained],
    ) -> None:
        self.connected = False
        self.published = 0
        self.refused = 0
        self.reconnects = 0
        self.failures: Counter[str] = Counter()
        self.gave_up: str | None = None
        self.said_farewell = False
        self._broker = broker
        self._qos = config.qos
        self._max_age_s = float(config.expiry_s) if live else None
        self._topic = topic
        self._outbox = outbox
        self._live = live
        self._greeting = greeting
        self._farewell = farewell
        self._properties = pose_properties(config.expiry_s) if config.protocol == 5 else None
        self._in_flight: dict[int, bytes | None] = {}  # message id -> pose payload, or None for a retained one
        self._holding = False
        self._answered = False
        self._window = _WINDOW
        self._largest: float = float("inf")
        self._attempt = 0
        self._due_s = 0.0
        self._longest_pause_s = _LONGEST_PAUSE_S
        self._connected_since_s = 0.0
        self._connects = 0
        self._told: set[str] = set()
        self._deadline_s: float | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._client = self._listen(new_client(broker, config, client_id, will))
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def _listen(self, client: Client) -> Client:
        # With this set, publish() queues and this thread's loop writes.
        client.on_socket_register_write = lambda *_: None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Tell the thread that the outbox has something."""
        # Either so many wake-ups are pending that one more says nothing, or the link is closed.
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def close(self, timeout_s: float) -> None:
        """Send what is queued and say farewell, for ``timeout_s`` at most.

        A live link that has no connection ends at once.
        """
        self._deadline_s = time.monotonic() + timeout_s
        self._outbox.close()
        self.wake()
        self._thread.join(timeout_s + _TURN_S)
        if self._thread.is_alive():
            # It waits for a name server or a handshake and ends, by itself, when that returns.
            logger.warning("still trying to reach %s while closing; not waiting for it", self._broker)
        else:
            self._wake_reader.close()
            self._wake_writer.close()

    def hurry(self) -> None:
        """End a ``close`` that another thread waits in."""
        self._deadline_s = time.monotonic()
        self.wake()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def unsent(self) -> int:
        """How many poses are queued or not confirmed. Final once ``close`` has returned."""
        return len(self._outbox) + sum(payload is not None for payload in self._in_flight.values())

    # From here on everything runs on the thread.

    def _run(self) -> None:
        try:
            while not self._finished():
                if self._client.socket() is None:
                    self._connect_when_due()
                else:
                    self._turn()
        finally:
            self._outbox.close()
            self._hang_up()

    def _finished(self) -> bool:
        if self._deadline_s is None or self.gave_up is not None:
            return self.gave_up is not None
        if time.monotonic() >= self._deadline_s:
            return True
        if not self.connected:
            return self._live or not self.unsent
        return self.said_farewell and not self._in_flight

    def _connect_when_due(self) -> None:
        wait_s = self._due_s - time.monotonic()
        if wait_s > 0:
            self._sleep(min(wait_s, _TURN_S))
            return
        self._answered = False
        try:
            self._client.reconnect()
        except OSError as error:
            self.failures[f"connect: {type(error).__name__}"] += 1
            certificate = isinstance(error, ssl.SSLCertVerificationError)
            reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else _reason(error)
            self._complain(reason, connect_hint(self._broker, error), final=certificate)
            self._schedule()

    def _schedule(self) -> None:
        pause_s = min(self._longest_pause_s, _FIRST_PAUSE_S * 2 ** min(self._attempt, 10))
        self._attempt += 1
        # Jitter, so that a fleet does not return to its restarted broker in one instant.
        self._due_s = time.monotonic() + pause_s * random.uniform(0.5, 1)

    def _sleep(self, timeout_s: float) -> None:
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        if poll.poll(timeout_s * 1000):
            self._drain_wake_ups()

    def _drain_wake_ups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)

    def _turn(self) -> None:
        """Send, then wait for the socket, the outbox or the clock, then receive."""
        self._hand_over()
        if self._client.want_write():
            self._client.loop_write()
        sock: Any = self._client.socket()  # a socket or, with TLS, an SSLSocket
        if sock is None:
            return
        buffered = self._broker.tls is not None and sock.pending() > 0
        timeout_s = _TURN_S if self._deadline_s is None else min(_TURN_S, self._deadline_s - time.monotonic())
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        poll.register(sock, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        more_to_send = self._may_send() and len(self._outbox) > 0
        at_once = buffered or more_to_send or self._farewell_due()
        ready = dict(poll.poll(0 if at_once else max(0.0, timeout_s) * 1000))
        if self._wake_reader.fileno() in ready:
            self._drain_wake_ups()
        if buffered or ready.get(sock.fileno(), 0) & ~select.POLLOUT:
            try:
                self._client.loop_read()
            except _GARBAGE as error:
                self._break_off(sock, error)
                return
        self._client.loop_misc()

    def _break_off(self, sock: Any, error: Exception) -> None:
        self.failures[f"protocol: {type(error).__name__}"] += 1
        self._complain("it does not speak MQTT", "check the port; mqtts:// is for TLS")
        sock.close()
        # Writing, not reading: that would stumble over the same packet again.
        self._client.disconnect()
        self._client.loop_write()

    def _may_send(self) -> bool:
        return self.connected and not self._holding and len(self._in_flight) < self._window

    def _hand_over(self) -> None:
        if self._holding and not self._in_flight:
            self._holding = False
        while self._may_send() and (payload := self._outbox.take(self._max_age_s)) is not None:
            if len(payload) + len(self._topic) + 64 > self._largest:
                self._count_refusal("publish: Packet too large", "the broker limits the size of messages", pose=True)
                continue
            sent = self._client.publish(self._topic, payload, qos=self._qos, properties=self._properties)
            if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._outbox.put_back([payload])
                return
            self._in_flight[sent.mid] = payload
        if self._farewell_due():
            self.said_farewell = True
            self._publish_retained(self._farewell)

    def _farewell_due(self) -> bool:
        closing = self._deadline_s is not None and self.connected and not self.said_farewell
        return closing and not self._in_flight and not len(self._outbox)

    def _publish_retained(self, messages: Sequence[Retained]) -> None:
        for message in messages:
            sent = self._client.publish(message.topic, message.payload, qos=1, retain=True)
            if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._in_flight[sent.mid] = None

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._answered = True
        if reason.is_failure:
            name = str(reason)
            self.failures[f"connect: {name}"] += 1
            self._longest_pause_s = _LONGEST_PAUSE_REFUSED_S if name in _HINTS else _LONGEST_PAUSE_S
            self._complain(name, _HINTS.get(name, ""), final=name in _HINTS)
            return
        self.reconnects += self._connects > 0
        self._connects += 1
        self._longest_pause_s = _LONGEST_PAUSE_S
        self._connected_since_s = time.monotonic()
        self._window = max(1, min(_WINDOW, getattr(properties, "ReceiveMaximum", 65535) - _RESERVED))
        self._largest = getattr(properties, "MaximumPacketSize", float("inf"))
        # paho now repeats what was not confirmed; anything new before that would overtake it.
        self._holding = True
        self.said_farewell = False
        self.connected = True
        self._publish_retained(self._greeting)
        logger.info("connected to the MQTT broker %s", self._broker)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        was_connected, self.connected = self.connected, False
        if self._qos == 0:
            # paho forgets what it had not written; with QoS 1 it keeps and repeats it.
            self._outbox.put_back(payload for payload in self._in_flight.values() if payload is not None)
            self._in_flight = {mid: None for mid, payload in self._in_flight.items() if payload is None}
        if was_connected and self._deadline_s is None:
            self.failures[f"disconnect: {reason}"] += 1
            again = self._connects > 1
            if time.monotonic() - self._connected_since_s > _STEADY_S:
                again, self._attempt = False, 0
                self._told.clear()
            # Not every broker tells those it throws out why.
            if again or str(reason) == "Session taken over":
                hint = "if another client has this client id, give each its own device.id or mqtt.client_id"
                self._complain("connection lost again at once", hint)
            else:
                self._complain("connection lost", "")
        elif not self._answered:
            self.failures["connect: no answer"] += 1
            self._complain("no answer", "check the port, and whether it wants mqtts:// or a client certificate")
        self._schedule()

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if mid not in self._in_flight:
            return
        is_pose = self._in_flight.pop(mid) is not None
        if reason.is_failure:
            self._count_refusal(f"publish: {reason}", _HINTS.get(str(reason), ""), pose=is_pose)
        else:
            self.published += is_pose

    def _count_refusal(self, failure: str, hint: str, *, pose: bool) -> None:
        self.failures[failure] += 1
        self.refused += pose
        self._tell(f"the MQTT broker {self._broker} refuses messages ({failure})", hint)

    def _complain(self, reason: str, hint: str, *, final: bool = False) -> None:
        """Log, once for each outage, why there is no connection; a ``final`` reason ends a link that is not live."""
        if final and not self._live:
            self.gave_up = f"{reason}; {hint}"
            return
        waits = "poses are dropped until then" if self._live else "the run waits"
        self._tell(f"waiting for the MQTT broker at {self._broker}, {waits} ({reason})", hint)

    def _tell(self, text: str, hint: str) -> None:
        level = logging.DEBUG if text in self._told else logging.WARNING
        self._told.add(text)
        logger.log(level, "%s%s", text, f": {hint}" if hint else "")

    def _hang_up(self) -> None:
        self.connected = False
        if self.said_farewell:
            # Only now: without it the broker publishes the will, which is right for any other end.
            self._client.disconnect()
            self._client.loop_write()
        sock: Any = self._client.socket()
        if sock is not None:
            sock.close()


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
