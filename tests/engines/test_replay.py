"""The replay engine plays recordings back in order, for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.engines.replay import ReplayEngine
from trt_pose_app.errors import EngineError
from trt_pose_app.types import TensorSpec

INPUT = TensorSpec("x", (1, 3, 4, 4), "float32")
X = {"x": np.zeros((1, 3, 4, 4), np.float32)}


def test_it_starts_again_after_the_last(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", cmap=np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1, 1))
    with ReplayEngine.read(tmp_path / "maps.npz", [INPUT]) as engine:
        assert engine.outputs["cmap"].shape == (-1, -1, -1, -1)
        assert [float(engine.infer(X)["cmap"].item()) for _ in range(5)] == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("recordings", [[], [{"a": X["x"]}, {"b": X["x"]}]])
def test_nothing_or_a_mixture_is_refused(recordings) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EngineError, match="nothing to replay"):
        ReplayEngine([INPUT], recordings)


def test_a_wrong_name_is_refused_and_so_is_a_broken_file(tmp_path: Path) -> None:
    engine = ReplayEngine([INPUT], [{"cmap": X["x"]}])
    with pytest.raises(EngineError, match="wants"):
        engine.infer({"y": X["x"]})
    (tmp_path / "broken.npz").write_bytes(b"PK not really")
    with pytest.raises(EngineError, match="cannot replay"):
        ReplayEngine.read(tmp_path / "broken.npz", [INPUT])
