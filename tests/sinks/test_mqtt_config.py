"""The options of the MQTT sink."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from trt_pose_app.config.schema import MqttConfig


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"qos": 2}, "QoS 2 loses messages when a connection is restored"),
        ({"qos": 3}, "Input should be 0, 1 or 2"),
        ({"protocol": 3}, "Input should be 5 or 4"),
        ({"key_file": "device.key"}, "key_file is the key of a cert_file"),
        ({"topic_prefix": ""}, "String should match"),
        ({"topic_prefix": "/pose"}, "String should match"),
        ({"topic_prefix": "pose/"}, "String should match"),
        ({"topic_prefix": "pose//v1"}, "String should match"),
        ({"topic_prefix": "pose/+"}, "String should match"),
        ({"topic_prefix": "pose/#"}, "String should match"),
        ({"topic_prefix": "$SYS/pose"}, "String should match"),
        ({"keepalive_s": 1}, "greater than or equal to 2"),
        ({"expiry_s": 0}, "greater than or equal to 1"),
        ({"outbox": 0}, "greater than or equal to 1"),
        ({"username": ""}, "at least 1 character"),
        ({"client_id": ""}, "String should match"),
        ({"password": "s3cret"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_option_is_refused_with_the_reason(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        MqttConfig(**options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"topic_prefix": "a"},
        {"topic_prefix": "site-1/pose $/v2"},
        {"cert_file": "device.pem"},
        {"cert_file": "device.crt", "key_file": "device.key"},
        {"qos": 1, "protocol": 4, "client_id": "x"},
    ],
)
def test_a_right_option_is_taken(options: dict[str, Any]) -> None:
    assert set(options) == MqttConfig(**options).model_fields_set
