"""The bounded queue in front of the MQTT client."""

from __future__ import annotations

import threading

import pytest

from trt_pose_app.sinks.mqtt_outbox import Outbox


def _drain(outbox: Outbox) -> list[bytes]:
    return list(iter(outbox.take, None))


def _filled(capacity: int, count: int, *, drop_oldest: bool = True) -> Outbox:
    outbox = Outbox(capacity, drop_oldest=drop_oldest)
    for i in range(count):
        outbox.put(b"%d" % i)
    return outbox


@pytest.mark.parametrize(("count", "kept", "dropped"), [(0, [], 0), (2, [b"0", b"1"], 0), (5, [b"2", b"3", b"4"], 2)])
def test_a_full_one_drops_the_oldest(count: int, kept: list[bytes], dropped: int) -> None:
    outbox = _filled(3, count)
    assert len(outbox) == len(kept)
    assert _drain(outbox) == kept
    assert outbox.dropped == dropped


def test_one_that_may_not_drop_waits_for_room() -> None:
    outbox = _filled(2, 2, drop_oldest=False)
    waiting = threading.Thread(target=outbox.put, args=(b"2",))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    assert outbox.take() == b"0"
    waiting.join(5)
    assert _drain(outbox) == [b"1", b"2"]
    assert outbox.dropped == 0


def test_close_ends_the_wait_and_keeps_what_is_queued() -> None:
    outbox = _filled(2, 2, drop_oldest=False)
    waiting = threading.Thread(target=outbox.put, args=(b"2",))
    waiting.start()
    outbox.close()
    waiting.join(5)
    outbox.put(b"3")
    assert _drain(outbox) == [b"0", b"1"]
    assert outbox.dropped == 2


@pytest.mark.parametrize(("drop_oldest", "kept", "dropped"), [(True, [b"1", b"2", b"3"], 1), (False, None, 0)])
def test_what_is_put_back_comes_first_again(drop_oldest: bool, kept: list[bytes] | None, dropped: int) -> None:
    outbox = _filled(3, 3, drop_oldest=drop_oldest)
    taken = [payload for payload in (outbox.take(), outbox.take()) if payload is not None]
    outbox.put(b"3")
    outbox.put_back(taken)
    assert _drain(outbox) == (kept or [b"0", b"1", b"2", b"3"])
    assert outbox.dropped == dropped


def test_what_is_too_old_is_dropped_when_taken() -> None:
    outbox = _filled(3, 3)
    assert outbox.take(max_age_s=0) is None
    assert (len(outbox), outbox.dropped) == (0, 3)


def test_skipped_payloads_count_as_dropped() -> None:
    outbox = Outbox(1, drop_oldest=True)
    outbox.skip()
    assert (len(outbox), outbox.dropped) == (0, 1)
