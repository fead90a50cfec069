"""The loop: nothing of a file is lost, the newest frame of a camera wins, and every end is an orderly one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from trt_pose_app.engines.replay import ReplayEngine
from trt_pose_app.errors import SinkError, SourceLostError, SourceTimeoutError
from trt_pose_app.estimators.bottom_up import BottomUp
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.pipeline import Pipeline
from trt_pose_app.sinks.protocol import StopRun
from trt_pose_app.skeleton import COCO18
from trt_pose_app.sources.protocol import SourceInfo
from trt_pose_app.track import PoseSmoother, Tracker
from trt_pose_app.types import Frame, Poses, TensorSpec, Timings, boxes_around


class Nobody:
    """A decoder that finds nobody: these tests are about the loop."""

    def decode(self, outputs: Mapping[str, Any], geometry: Sequence[Geometry]) -> list[Poses]:
        return [Poses.empty(COCO18) for _ in geometry]


@pytest.fixture
def estimator() -> BottomUp:
    spec = ModelSpec.model_validate(
        {
            "name": "replayed",
            "kind": "paf",
            "skeleton": "coco18",
            "input": {"name": "x", "width": 32, "height": 32, "colour": "bgr"},
            "outputs": {"cmap": "cmap", "paf": "paf"},
            "paf": {"stride": 8, "component_order": "yx"},
            "origin": {"licence": "none"},
        }
    )
    maps = {"cmap": np.zeros((1, 18, 4, 4), np.float32), "paf": np.zeros((1, 42, 4, 4), np.float32)}
    engine = ReplayEngine([TensorSpec("x", (1, 3, 32, 32), "float32")], [maps])
    return BottomUp(spec, engine, Preprocessor(spec.input), Nobody())


class Numbered:
    """A source of ``count`` numbered frames; live ones lose what is not fetched in time."""

    def __init__(self, count: int, *, live: bool = False, fails_at: int | None = None) -> None:
        self.info = SourceInfo("numbered", 32, 32, 25.0, live=live, seekable=False)
        self.dropped = 0
        self.skipped = 0
        self.closed = Event()
        self._count = count
        self._fails_at = fails_at
        self._next = 0

    def read(self, timeout_s: float) -> Frame | None:
        if self._next == self._fails_at:
            raise SourceLostError("the file ends early", hint="copy it again")
        if self._next == self._count:
            if not self.info.live:
                return None
            self.closed.wait(timeout_s)
            raise SourceTimeoutError("no frame", hint="wait")
        frame = Frame(np.zeros((32, 32, 3), np.uint8), self._next, time.monotonic(), time.time(), "numbered")
        self._next += 1
        return frame

    def close(self) -> None:
        self.closed.set()


class Recorder:
    """A sink that keeps the numbers it got and can be made slow, broken or tired."""

    def __init__(self, before: Callable[[int], None] | None = None) -> None:
        self.seen: list[int] = []
        self.seqs: list[int] = []
        self.closed = 0
        self._before = before

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        if self._before is not None:
            self._before(frame.index)
        self.seen.append(frame.index)
        self.seqs.append(timings.seq)

    def close(self) -> None:
        self.closed += 1


def fail_at(index: int) -> Callable[[int], None]:
    def before(current: int) -> None:
        if current == index:
            raise SinkError("the disk is full", hint="make room")

    return before


def test_every_frame_of_a_file_arrives_in_order(estimator: BottomUp) -> None:
    source, sink = Numbered(200), Recorder()
    stats = Pipeline(source, estimator, [("recorder", sink)], queue_size=4).run()
    assert sink.seen == sink.seqs == list(range(200))
    assert sink.closed == 1
    assert source.closed.is_set()
    assert stats.frames == 200
    assert stats.sinks["recorder"] == {"emitted": 200, "dropped": 0, "error": None}
    assert all(stats.stages[stage]["p50"] >= 0 for stage in ("capture", "preprocess", "infer", "decode", "total"))


def test_a_slow_sink_holds_a_file_back_instead_of_losing_frames(estimator: BottomUp) -> None:
    slow, quick = Recorder(lambda _: time.sleep(0.002)), Recorder()
    Pipeline(Numbered(60), estimator, [("slow", slow), ("quick", quick)], queue_size=2).run()
    assert slow.seen == quick.seen == list(range(60))


def test_a_slow_sink_of_a_live_source_loses_its_oldest_and_holds_nobody_up(estimator: BottomUp) -> None:
    gate = Event()
    slow, quick = Recorder(lambda _: gate.wait(10) and None), Recorder(lambda i: gate.set() if i == 99 else None)
    pipeline = Pipeline(Numbered(100, live=True), estimator, [("slow", slow), ("quick", quick)], frames=100)
    stats = pipeline.run()
    # the quick one may lose some too on a loaded machine, but never the newest
    assert quick.seen[-1] == slow.seen[-1] == 99
    assert slow.seen == sorted(slow.seen)
    assert stats.sinks["slow"]["dropped"] == 100 - len(slow.seen) > 0


def test_a_failing_sink_does_not_stop_the_others(estimator: BottomUp) -> None:
    broken, sound = Recorder(fail_at(5)), Recorder()
    pipeline = Pipeline(Numbered(50), estimator, [("broken", broken), ("sound", sound)])
    stats = pipeline.run()
    assert sound.seen == list(range(50))
    assert broken.seen == list(range(5))
    assert broken.closed == 1
    assert "disk is full" in stats.sinks["broken"]["error"]
    assert [error.message for error in pipeline.errors] == ["the disk is full"]


def test_the_run_ends_when_the_last_sink_has_failed(estimator: BottomUp) -> None:
    stats = Pipeline(Numbered(100_000), estimator, [("broken", Recorder(fail_at(0)))]).run()
    assert stats.frames < 100_000


def test_a_bug_in_a_sink_is_reported_and_does_not_stop_the_others(
    estimator: BottomUp, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(index: int) -> None:
        if index == 3:
            raise ZeroDivisionError("one over none")

    sound = Recorder()
    pipeline = Pipeline(Numbered(50), estimator, [("buggy", Recorder(bug)), ("sound", sound)], queue_size=2)
    pipeline.run()
    assert sound.seen == list(range(50))
    assert "unexpected ZeroDivisionError: one over none" in str(pipeline.errors[0])
    assert "Traceback" in caplog.text


def test_a_bug_while_preparing_ends_the_run_instead_of_hanging_it(
    estimator: BottomUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(frame: Frame) -> None:
        raise ZeroDivisionError("one over none")

    monkeypatch.setattr(estimator, "prepare", bug)
    sink = Recorder()
    with pytest.raises(ZeroDivisionError):
        Pipeline(Numbered(50), estimator, [("r", sink)]).run()
    assert sink.closed == 1


def test_an_error_while_closing_is_an_error_of_the_run(estimator: BottomUp) -> None:
    class FailsToClose(Recorder):
        def close(self) -> None:
            raise SinkError("cannot rename", hint="check the folder")

    pipeline = Pipeline(Numbered(3), estimator, [("odd", FailsToClose())])
    pipeline.run()
    assert [error.message for error in pipeline.errors] == ["cannot rename"]


def test_closing_the_window_ends_the_run_in_order(estimator: BottomUp) -> None:
    def quit_at_ten(index: int) -> None:
        if index == 10:
            raise StopRun

    other = Recorder()
    pipeline = Pipeline(Numbered(100_000), estimator, [("window", Recorder(quit_at_ten)), ("other", other)])
    stats = pipeline.run()
    assert not pipeline.errors
    assert other.seen == list(range(stats.frames))


def test_frames_limits_a_run(estimator: BottomUp) -> None:
    sink = Recorder()
    assert Pipeline(Numbered(100), estimator, [("r", sink)], frames=7).run().frames == 7
    assert sink.seen == list(range(7))


def test_what_came_before_a_damaged_file_s_end_is_kept(estimator: BottomUp) -> None:
    sink = Recorder()
    pipeline = Pipeline(Numbered(20, fails_at=12), estimator, [("r", sink)])
    with pytest.raises(SourceLostError, match="ends early"):
        pipeline.run()
    assert sink.seen == list(range(12))
    assert sink.closed == 1


@pytest.mark.parametrize("live", [True, False])
def test_stop_from_another_thread_drains_and_closes_within_seconds(estimator: BottomUp, live: bool) -> None:
    started = Event()
    sink = Recorder(lambda _: started.set())
    source = Numbered(5 if live else 10_000_000, live=live)  # the live one goes quiet after 5 frames
    pipeline = Pipeline(source, estimator, [("r", sink)])
    thread = Thread(target=pipeline.run, daemon=True)
    thread.start()
    assert started.wait(10)
    pipeline.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert sink.closed == 1
    assert sink.seen == list(range(pipeline.stats().frames))


def test_a_stop_does_not_wait_for_a_disk_that_hangs(estimator: BottomUp) -> None:
    hangs, released = Event(), Event()

    class Hanging(Numbered):
        def read(self, timeout_s: float) -> Frame | None:
            if self._next == 3:
                hangs.set()
                released.wait(30)
            return super().read(timeout_s)

    sink = Recorder()
    pipeline = Pipeline(Hanging(10), estimator, [("r", sink)])
    thread = Thread(target=pipeline.run, daemon=True)
    thread.start()
    assert hangs.wait(10)
    pipeline.stop()
    thread.join(6)
    released.set()
    assert not thread.is_alive()
    assert sink.seen == [0, 1, 2][: len(sink.seen)]
    assert sink.closed == 1


def test_a_sink_waiting_for_a_far_end_is_closed_after_its_time(
    estimator: BottomUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trt_pose_app.pipeline.DRAIN_S", 0.2)
    waiting, released = Event(), Event()

    class BrokerIsDown(Recorder):
        def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
            waiting.set()
            assert released.wait(20)

        def close(self) -> None:
            super().close()
            released.set()

    sink = BrokerIsDown()
    pipeline = Pipeline(Numbered(100), estimator, [("mqtt", sink)], queue_size=1)
    thread = Thread(target=pipeline.run, daemon=True)
    thread.start()
    assert waiting.wait(10)
    time.sleep(0.2)  # the loop now waits for room in the queue
    pipeline.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert sink.closed >= 1


def test_a_run_without_sinks_counts_people(estimator: BottomUp) -> None:
    stats = Pipeline(Numbered(5), estimator, []).run()
    assert (stats.frames, stats.people, stats.sinks) == (5, 0, {})


class Trembling:
    """A decoder that finds one person, who trembles from frame to frame."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def decode(self, outputs: Mapping[str, Any], geometry: Sequence[Geometry]) -> list[Poses]:
        xy = (np.linspace(5, 25, 36).reshape(1, 18, 2) + self._rng.normal(size=(1, 18, 2))).astype(np.float32)
        one = np.ones(1, np.float32)
        return [Poses(xy, np.ones((1, 18), np.float32), one, boxes_around(xy), np.full(1, -1, np.int32), COCO18)]


class Positions(Recorder):
    """A sink that keeps ids and keypoints."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[list[int]] = []
        self.xy: list[np.ndarray] = []

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        self.ids.append(poses.track.tolist())
        self.xy.append(poses.xy[0])


@pytest.fixture
def trembling(estimator: BottomUp) -> BottomUp:
    return BottomUp(estimator.spec, estimator.engine, Preprocessor(estimator.spec.input), Trembling())


def test_a_tracker_gives_ids_to_all_sinks(trembling: BottomUp) -> None:
    one, other = Positions(), Positions()
    Pipeline(Numbered(10), trembling, [("one", one), ("other", other)], tracker=Tracker()).run()
    assert one.ids == other.ids == [[-1], [-1], *[[1]] * 8]


def test_without_a_tracker_there_are_no_ids(trembling: BottomUp) -> None:
    sink = Positions()
    Pipeline(Numbered(3), trembling, [("sink", sink)]).run()
    assert sink.ids == [[-1]] * 3


def test_each_sink_gets_smooth_or_raw_keypoints(trembling: BottomUp) -> None:
    calm, raw = Positions(), Positions()
    sinks = [("calm", calm), ("raw", raw)]
    Pipeline(Numbered(60), trembling, sinks, tracker=Tracker(), smoother=PoseSmoother(), raw={"raw"}).run()
    jitter = [np.abs(np.diff(sink.xy[10:], 2, axis=0)).mean() for sink in (calm, raw)]
    assert jitter[0] < 0.5 * jitter[1]
    assert calm.ids == raw.ids
