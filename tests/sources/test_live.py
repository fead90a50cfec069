"""The live source: newest frame first, nothing stale, nothing that can hang it. With cameras of our own making."""

from __future__ import annotations

import gc
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pytest

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import SourceLostError, SourceTimeoutError, SourceUnavailableError
from trt_pose_app.sources.backoff import delays
from trt_pose_app.sources.live import LiveSource, Picture

from .conftest import until

QUICK = SourceConfig(stall_timeout_s=0.2, reconnect_min_s=0.01, reconnect_max_s=0.05)


class Scripted:
    """A camera whose every frame comes from ``frames``: a level to paint, an error to raise, or a call to wait in."""

    def __init__(self, frames: Iterator[int | Exception | Callable[[], int]], size: tuple[int, int] = (8, 6)) -> None:
        self.damaged = 0
        self.closed = False
        self._frames = frames
        self._size = size

    def read(self) -> Picture:
        frame = next(self._frames, None)
        if frame is None:
            raise SourceLostError("cam ended", hint="")
        if callable(frame):
            frame = frame()
        if isinstance(frame, Exception):
            raise frame
        width, height = self._size
        image = np.full((height, width, 3), frame, np.uint8)
        return lambda: image

    def close(self) -> None:
        self.closed = True


def paced(levels: Iterator[int], pause_s: float = 0.002) -> Iterator[Callable[[], int]]:
    for level in levels:

        def wait(level: int = level) -> int:
            threading.Event().wait(pause_s)
            return level

        yield wait


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What hanging cameras wait for: set when the test is over, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def test_a_slow_reader_gets_the_newest_frame_and_the_rest_is_counted() -> None:
    sent = threading.Event()
    rest = threading.Event()

    def last() -> int:
        sent.set()
        rest.wait(5)
        return 0

    camera = Scripted(iter([*range(1, 21), last]))
    with LiveSource("cam", lambda: camera, SourceConfig()) as source:
        assert sent.wait(2)
        frame = source.read(1)
        assert frame is not None
        assert frame.image[0, 0, 0] == 20
        assert frame.index == 19
        assert source.dropped == 19
        rest.set()
        assert frame.source == "cam"
        assert 0 <= time.monotonic() - frame.captured_s < 2


def test_no_frame_twice_and_a_timeout_where_there_is_none(released: threading.Event) -> None:
    camera = Scripted(iter([7, lambda: int(released.wait(5))]))
    with LiveSource("cam", lambda: camera, SourceConfig()) as source:
        assert source.read(2) is not None
        start_s = time.monotonic()
        with pytest.raises(SourceTimeoutError, match=r"no frame from cam within 0\.1 s: streaming"):
            source.read(0.1)
        assert 0.09 < time.monotonic() - start_s < 1
        released.set()


def test_a_hanging_capture_is_left_behind_and_its_late_frame_refused(released: threading.Event) -> None:
    cameras = [
        Scripted(iter([1, lambda: 2 if released.wait(10) else 0, 3])),
        Scripted(paced(iter([100] * 100_000))),
    ]
    opened = iter(cameras)
    with LiveSource("cam", lambda: next(opened), QUICK) as source:
        first = source.read(1)
        assert first is not None
        assert first.image[0, 0, 0] == 1
        lost_s = until(lambda: source.reconnects == 1, 3)
        assert lost_s < 1.5
        released.set()
        until(lambda: cameras[0].closed, 2)  # the thread that was left behind ended, and released its camera
        levels = {int(frame.image[0, 0, 0]) for frame in islice(source, 20)}
        assert levels == {100}


def test_an_opening_that_hangs_does_not_stop_us(released: threading.Event) -> None:
    opened: list[int] = []

    def open_camera() -> Scripted:
        opened.append(1)
        if len(opened) < 3:
            released.wait(10)
        return Scripted(paced(iter([9] * 100_000)))

    with LiveSource("cam", open_camera, QUICK) as source:
        until(lambda: source.state == "streaming", 5)
        assert len(opened) == 3
        released.set()


def test_hanging_captures_do_not_pile_up(released: threading.Event) -> None:
    opened: list[int] = []

    def open_camera() -> Scripted:
        opened.append(1)
        released.wait(20)
        return Scripted(paced(iter([9] * 100_000)))

    config = SourceConfig(stall_timeout_s=0.01, reconnect_min_s=0.01, reconnect_max_s=0.01)
    with LiveSource("cam", open_camera, config) as source:
        until(lambda: "still hang" in (source.last_error or ""), 5)
        assert len(opened) == 4
        released.set()
        until(lambda: source.state == "streaming", 5)


def test_close_returns_though_the_driver_hangs(released: threading.Event) -> None:
    source = LiveSource("cam", lambda: Scripted(iter([1, lambda: int(released.wait(20))])), SourceConfig())
    assert source.read(2) is not None
    start_s = time.monotonic()
    source.close()
    source.close()
    assert time.monotonic() - start_s < 2
    assert source.read(1) is None
    assert source.state == "closed"


def test_close_wakes_a_waiting_reader_and_a_waiting_reconnect() -> None:
    def absent() -> Scripted:
        raise SourceUnavailableError("cam is not there", hint="plug it in")

    source = LiveSource("cam", absent, SourceConfig(reconnect_min_s=60, reconnect_max_s=60))
    until(lambda: source.state == "lost", 2)
    result: list[object] = []
    reader = threading.Thread(target=lambda: result.append(source.read(30)))
    reader.start()
    start_s = time.monotonic()
    source.close()
    reader.join(2)
    assert result == [None]
    assert time.monotonic() - start_s < 1


def test_closing_releases_the_camera() -> None:
    camera = Scripted(paced(iter([1] * 100_000)))
    with LiveSource("cam", lambda: camera, SourceConfig()) as source:
        assert source.read(1) is not None
    assert camera.closed


def test_a_frame_of_before_the_loss_is_not_given_after_it() -> None:
    away = threading.Event()

    def open_camera() -> Scripted:
        if away.is_set():
            raise SourceUnavailableError("cam: Connection refused", hint="check it")
        away.set()
        return Scripted(iter([1, 2]))

    with LiveSource("cam", open_camera, QUICK) as source:
        until(lambda: source.state == "lost", 2)
        with pytest.raises(SourceTimeoutError, match=r"lost \((it ended|Connection refused)\)"):
            source.read(0.05)
        assert source.dropped == 2


def test_states_are_logged_once_however_often_it_tries(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    def open_camera() -> Scripted:
        tries.append(1)
        if len(tries) < 10:
            raise SourceUnavailableError("cam: Connection refused", hint="check the cable")
        return Scripted(paced(iter([1] * 100_000)))

    with caplog.at_level(logging.INFO), LiveSource("cam", open_camera, QUICK) as source:
        assert source.state in ("connecting", "lost")
        until(lambda: source.state == "streaming", 5)
        until(lambda: "cam is streaming" in caplog.messages, 5)  # said just after the state has changed
        assert source.last_error is None
    lines = [record.message for record in caplog.records]
    assert [line for line in lines if "trying again" in line] == [
        "cam cannot be reached: Connection refused; trying again until it answers (check the cable)"
    ]
    assert [line for line in lines if "is streaming" in line] == ["cam is streaming"]
    assert source.reconnects == 0  # it was never there before


def test_only_what_has_streamed_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    cameras = iter([Scripted(iter([1])), Scripted(paced(iter([1] * 100_000)))])
    with LiveSource("cam", lambda: next(cameras), QUICK) as source:
        until(lambda: source.reconnects == 1, 3)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith("cam is lost: it ended; trying again until it is back (")


def test_an_unexpected_exception_is_a_loss_like_any_other() -> None:
    cameras = iter([Scripted(iter([1, MemoryError("secret")])), Scripted(paced(iter([5] * 100_000)))])
    with LiveSource("cam", lambda: next(cameras), QUICK) as source:
        until(lambda: source.reconnects == 1, 3)
        assert source.state == "streaming"


def test_a_change_of_size_is_no_loss() -> None:
    turn = threading.Event()

    class Turning(Scripted):
        def read(self) -> Picture:
            self._size = (16, 12) if turn.is_set() else (8, 6)
            return super().read()

    with LiveSource("cam", lambda: Turning(paced(iter([1] * 100_000))), SourceConfig()) as source:
        first = source.read(1)
        assert first is not None
        assert (first.width, source.info.width) == (8, 8)
        turn.set()
        until(lambda: (frame := source.read(1)) is not None and frame.width == 16, 2)
        assert (source.info.width, source.info.height) == (16, 12)
        assert source.reconnects == 0


def test_damaged_frames_are_counted() -> None:
    camera = Scripted(paced(iter(range(1, 200))))
    camera.damaged = 3
    with LiveSource("cam", lambda: camera, SourceConfig()) as source:
        assert source.read(1) is not None
        assert source.skipped == 3


def test_threads_do_not_pile_up() -> None:
    before = threading.active_count()
    for _ in range(10):
        with LiveSource("cam", lambda: Scripted(paced(iter([1] * 100_000))), QUICK) as source:
            assert source.read(1) is not None
    gc.collect()
    assert threading.active_count() == before


def test_pauses_double_to_a_limit_and_differ() -> None:
    pauses = list(islice(delays(0.5, 2.0, rng=random.Random(1)), 200))
    for pause_s, full_s in zip(pauses, [0.5, 1.0, *[2.0] * 198]):
        assert full_s / 2 <= pause_s <= full_s
    assert len(set(pauses)) == len(pauses)
    assert max(islice(delays(5.0, 2.0), 3)) <= 2.0
