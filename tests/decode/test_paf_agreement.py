"""The compiled parser and the numpy one give the same people for any maps, and what they promise holds."""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trt_pose_app.decode.paf import PafDecoder, PafLayout, PafParams, native_available
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Poses

if not native_available():
    pytest.skip("the extension is not built", allow_module_level=True)

ODD = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-42, 1e-30, 0.0, -0.0, 0.5, 1.0]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Skeleton, PafLayout, PafParams, dict[str, NDArray[Any]], int]:
    k_parts = draw(st.integers(2, 6))
    pairs = [(a, b) for a in range(k_parts) for b in range(k_parts) if a != b]
    limbs = tuple(draw(st.lists(st.sampled_from(pairs), max_size=6)))
    attach_only = tuple(i for i in range(len(limbs)) if draw(st.integers(0, 3)) == 0)
    layout = PafLayout(limbs, stride=1, map_offset=0, attach_only_limbs=attach_only)
    params = PafParams(
        peak_threshold=draw(st.sampled_from([0, 0.1, 0.5])),
        limb_threshold=draw(st.sampled_from([0, 0.05, 0.4])),
        limb_success_ratio=draw(st.sampled_from([0, 0.5, 0.8, 1])),
        limb_samples=draw(st.integers(2, 13)),
        max_peaks=draw(st.integers(1, 40)),
        max_people=draw(st.integers(1, 30)),
        min_keypoints=draw(st.integers(1, 3)),
        min_person_score=draw(st.sampled_from([0, 0.2, 0.5])),
    )
    batch, height, width = draw(st.integers(1, 2)), draw(st.integers(0, 20)), draw(st.integers(0, 40))
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    kind = draw(st.sampled_from(["noise", "ties", "odd", "flat"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maps = {}
    for name, channels in (("cmap", k_parts), ("paf", 2 * len(limbs))):
        values = rng.uniform(-0.3, 1, (batch, channels, height, width))
        if kind == "ties":
            values = np.round(values * 3) / 3
        elif kind == "odd":
            values = np.where(rng.random(values.shape) < 0.2, rng.choice(ODD, values.shape), values)
        elif kind == "flat":
            values = np.full_like(values, draw(st.sampled_from(ODD)))
        with np.errstate(over="ignore"):
            maps[name] = values.astype(dtype)
    skeleton = Skeleton("any", tuple(map(str, range(k_parts))), limbs, tuple(range(k_parts)))
    return skeleton, layout, params, maps, batch


@settings(max_examples=600, deadline=None)
@given(cases())
def test_both_agree_and_keep_their_promises(case: tuple[Any, ...]) -> None:
    skeleton, layout, params, maps, batch = case
    height, width = maps["cmap"].shape[2:]
    geometry = [Geometry.stretch((max(width, 1), max(height, 1)), (max(width, 1), max(height, 1)))] * batch
    compiled, reference = (PafDecoder(skeleton, layout, params, native=native) for native in (True, False))
    for one, other in zip(compiled.decode(maps, geometry), reference.decode(maps, geometry)):
        assert len(one) == len(other)
        np.testing.assert_allclose(one.xy, other.xy, atol=1e-3)
        np.testing.assert_allclose(one.score, other.score, atol=1e-6)
        np.testing.assert_allclose(one.person, other.person, atol=1e-6)
        np.testing.assert_allclose(one.box, other.box, atol=1e-3)
        for poses in (one, other):
            Poses(poses.xy, poses.score, poses.person, poses.box, poses.track, skeleton)  # validates
            assert len(poses) <= params.max_people
            assert (poses.person >= np.float32(params.min_person_score)).all()
            seen = poses.score > 0
            assert (seen.sum(axis=1) >= max(params.min_keypoints, 2)).all()
            x, y = poses.xy[seen].T
            assert ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)).all()
            low, high = poses.box[:, None, :2], poses.box[:, None, 2:]
            assert ((low <= poses.xy) & (poses.xy <= high))[seen].all()
            # One person per part: no peak is in two people.
            for part in range(len(skeleton)):
                places = poses.xy[seen[:, part], part]
                assert len(np.unique(places, axis=0)) == len(places)


def test_threads_share_a_decoder() -> None:
    rng = np.random.default_rng(5)
    skeleton = Skeleton("pair", ("a", "b"), ((0, 1),), (0, 1))
    subject = PafDecoder(skeleton, PafLayout(skeleton.limbs), PafParams(min_keypoints=2), native=True)
    inputs = [
        {"cmap": rng.random((1, 2, 8 + i, 30), np.float32), "paf": rng.random((1, 2, 8 + i, 30), np.float32)}
        for i in range(4)
    ]
    geometry = [Geometry.stretch((30, 30), (30, 30))]
    wanted = [subject.decode(maps, geometry)[0].xy for maps in inputs]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(50):
            if not np.array_equal(subject.decode(inputs[index], geometry)[0].xy, wanted[index], equal_nan=True):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(i % 4,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
