"""The drawn people: always the same, inside the picture, and at the pace of a camera where asked."""

from __future__ import annotations

import time

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError, SourceTimeoutError
from trt_pose_app.sources import open_source
from trt_pose_app.sources.synthetic import SyntheticSource


def test_the_same_options_give_the_same_pixels() -> None:
    uri = "synthetic://people?n=2&width=160&height=120&frames=5&seed={}"
    runs = [[frame.image for frame in open_source(uri.format(seed))] for seed in (4, 4, 5)]
    assert all(np.array_equal(a, b) for a, b in zip(runs[0], runs[1]))
    assert not np.array_equal(runs[0][0], runs[2][0])
    assert not np.array_equal(runs[0][0], runs[0][4])  # they move


def test_size_rate_and_number() -> None:
    with open_source("synthetic://people?width=320&height=200&fps=50&frames=7") as source:
        frames = list(source)
    assert (source.info.width, source.info.height, source.info.fps, source.info.frames) == (320, 200, 50.0, 7)
    assert [frame.pts_s for frame in frames] == pytest.approx([n / 50 for n in range(7)])
    assert frames[0].image.shape == (200, 320, 3)
    assert not source.info.live
    assert source.read(1) is None


def test_people_stay_in_the_picture_and_do_not_jump() -> None:
    source = SyntheticSource("s", {"n": "20", "seed": "1"})
    joints = np.stack([source.joints(index) for index in range(900)])
    assert joints.shape == (900, 20, 11, 2)
    assert (joints >= 0).all()
    assert (joints[..., 0] < 640).all()
    assert (joints[..., 1] < 480).all()
    assert np.abs(np.diff(joints, axis=0)).max() < 20


def test_live_keeps_the_pace_and_drops_what_nobody_read() -> None:
    with open_source("synthetic://people?n=1&fps=100&width=64&height=48&live=1") as source:
        assert source.info.live
        start_s = time.monotonic()
        indices = [frame.index for _, frame in zip(range(10), source)]
        assert time.monotonic() - start_s >= 0.08
        time.sleep(0.2)  # the slow reader itself
        late = source.read(1)
        assert late is not None
        assert late.index >= indices[-1] + 15
        assert source.dropped == late.index + 1 - 11  # and eleven were read
        assert time.monotonic() - late.captured_s < 0.1


def test_live_frames_end_and_time_out() -> None:
    with open_source("synthetic://people?n=0&fps=200&frames=20&live=1&width=32&height=32") as source:
        indices = [frame.index for frame in source]
        assert indices[-1] == 19
        assert len(indices) + source.dropped == 20
    with open_source("synthetic://people?fps=1&live=1&width=32&height=32") as source:
        assert source.read(0.05) is not None
        with pytest.raises(SourceTimeoutError):
            source.read(0.05)
        source.close()
        assert source.read(0.05) is None


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("widht=3", "no option 'widht'", "did you mean width?"),
        ("n=many", "n=many", "n=3"),
        ("n=-1", "n=-1", "n=3"),
        ("fps=0", "fps=0", "fps=30"),
        ("width=", "width=", "width=640"),
        ("height=1000000", "16..8192", "height=480"),
    ],
)
def test_wrong_options_are_told(query: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_source(f"synthetic://people?{query}")
    assert hint in caught.value.hint
