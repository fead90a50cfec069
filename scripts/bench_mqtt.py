"""Measure the MQTT sink over loopback: latency at a camera's pace, then messages per second of a file.

    python scripts/bench_mqtt.py [--seconds 20] [--rate 60] [--people 5]

Needs mosquitto. Latency runs from emit() to a subscriber in the same process, so both clocks are one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.sinks.mqtt_rig import Mosquitto, Subscriber, result, run_info, until
from trt_pose_app.config.schema import MqttConfig
from trt_pose_app.sinks.mqtt import MqttSink


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=60, help="frames per second")
    parser.add_argument("--people", type=int, default=5, help="5 make a message of about 2 kB")
    options = parser.parse_args()
    settings = "set_tcp_nodelay true\nmax_queued_messages 0\n"
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder), settings) as broker:
        for qos in (0, 1):
            config = MqttConfig(qos=qos)
            print(f"QoS {qos}:", _latency(broker, config, options), "|", _throughput(broker, config, options.people))


def _latency(broker: Mosquitto, config: MqttConfig, options: argparse.Namespace) -> str:
    arrivals_s: dict[int, float] = {}
    size = 0

    def receive(_client: object, _data: object, message: object) -> None:
        nonlocal size
        now_s = time.monotonic()
        payload: bytes = message.payload  # type: ignore[attr-defined]
        if message.topic.endswith("/poses"):  # type: ignore[attr-defined]
            arrivals_s[json.loads(payload)["frame"]] = now_s
            size = len(payload)

    sink = MqttSink(broker.uri, run_info(live=True), config)
    until(lambda: sink.connected)
    count = int(options.seconds * options.rate)
    with Subscriber(broker, receive=receive):
        samples = [result(seq, options.people) for seq in range(count)]
        emitted_s = []
        start_s = time.monotonic()
        for seq, sample in enumerate(samples):
            time.sleep(max(0.0, start_s + seq / options.rate - time.monotonic()))
            emitted_s.append(time.monotonic())
            sink.emit(*sample)
        sink.close()
        until(lambda: len(arrivals_s) == count - sink.dropped)
    latency_ms = [1e3 * (arrivals_s[seq] - emitted_s[seq]) for seq in arrivals_s]
    p50, p99, worst = np.percentile(latency_ms, [50, 99, 100])
    return (
        f"{count} x {size} B at {options.rate:g}/s: p50 {p50:.2f} p99 {p99:.2f} max {worst:.2f} ms, "
        f"{sink.dropped} dropped"
    )


def _throughput(broker: Mosquitto, config: MqttConfig, n_people: int, count: int = 3000) -> str:
    sample = result(0, n_people)
    with Subscriber(broker) as subscriber:
        start_s = time.monotonic()
        sink = MqttSink(broker.uri, run_info(live=False), config)
        for _ in range(count):
            sink.emit(*sample)
        sink.close()
        until(lambda: len(subscriber.payloads("cam0/poses")) == count)
        return f"as a file {count / (time.monotonic() - start_s):.0f} messages/s"


if __name__ == "__main__":
    main()
