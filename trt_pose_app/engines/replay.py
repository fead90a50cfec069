"""An engine that plays back recorded outputs: for tests, demos and decoder work without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.errors import EngineError
from trt_pose_app.types import TensorSpec


class ReplayEngine(Closing):
    """Returns ``outputs[0], outputs[1], ...`` for whatever it is fed, then starts again.

    Raises EngineError if there is nothing to play or the recordings differ in their names.
    """

    backend = "replay"

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        if not outputs or any(recording.keys() != outputs[0].keys() for recording in outputs):
            raise EngineError("nothing to replay, or recordings of different outputs", hint="record at least one frame")
        self.inputs = {spec.name: spec for spec in inputs}
        self.outputs = {n: TensorSpec(n, (-1,) * a.ndim, a.dtype.name) for n, a in outputs[0].items()}
        self._recordings = outputs
        self._next = 0

    @classmethod
    def read(cls, path: Path, inputs: Sequence[TensorSpec]) -> ReplayEngine:
        """Read an .npz whose arrays are stacked over frames: (frames, batch, ...) each."""
        try:
            with np.load(path) as arrays:
                stacked = {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot replay {path}: {error}", hint="give an .npz of (frames, batch, ...)") from error
        frames = min((len(a) for a in stacked.values()), default=0)
        return cls(inputs, [{name: a[i] for name, a in stacked.items()} for i in range(frames)])

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the next recording. Raises EngineError for a wrong input name."""
        if feeds.keys() != self.inputs.keys():
            raise EngineError(f"wants {sorted(self.inputs)}, not {sorted(feeds)}", hint="name the inputs as recorded")
        recording = self._recordings[self._next]
        self._next = (self._next + 1) % len(self._recordings)
        return recording

    def close(self) -> None:
        """Nothing to free."""
