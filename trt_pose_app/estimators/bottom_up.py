"""Bottom-up estimation: one run of a part-affinity network finds everybody in the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.decode.protocol import Decoder
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame ready for its network: the input tensor, its geometry and the milliseconds that took."""

    feeds: Mapping[str, NDArray[Any]]
    geometry: Geometry
    preprocess_ms: float


class BottomUp(Closing):
    """Frames in, ``Poses`` out. Owns its engine and closes it.

    The three stages can be called one by one, ``prepare`` on another thread than ``infer`` and ``decode``: that is
    how the pipeline prepares frame n + 1 while the network works on frame n.
    """

    def __init__(self, spec: ModelSpec, engine: Engine, preprocess: Preprocessor, decoder: Decoder) -> None:
        self.spec = spec
        self.engine = engine
        self.skeleton: Skeleton = spec.build_skeleton()
        self._preprocess = preprocess
        self._decoder = decoder
        names = set(engine.outputs)
        missing = sorted(set(spec.outputs.values()) - names)
        if missing or spec.input.name not in engine.inputs:
            raise ModelSpecError(
                f"the spec of {spec.name} names {', '.join([*missing, spec.input.name])}, the network has the inputs "
                f"{', '.join(engine.inputs)} and the outputs {', '.join(sorted(names))}",
                hint="correct [input] name and [outputs] in the spec",
            )

    def prepare(self, frame: Frame) -> Prepared:
        """Resize and normalise."""
        start = perf_counter()
        tensor, geometry = self._preprocess(frame.image)
        return Prepared({self.spec.input.name: tensor}, geometry, (perf_counter() - start) * 1e3)

    def infer(self, prepared: Prepared) -> Mapping[str, NDArray[Any]]:
        """Run the network; the maps stay valid until the next call."""
        outputs = self.engine.infer(prepared.feeds)
        return {role: outputs[name] for role, name in self.spec.outputs.items()}

    def decode(self, maps: Mapping[str, NDArray[Any]], prepared: Prepared) -> Poses:
        """Read the people out of the maps, in pixels of the frame."""
        return self._decoder.decode(maps, [prepared.geometry])[0]

    def __call__(self, frame: Frame | NDArray[np.uint8]) -> Poses:
        """Return the people in a frame, or in an (H, W, 3) BGR uint8 picture."""
        if not isinstance(frame, Frame):
            frame = Frame(frame, 0, 0.0, 0.0, "array")
        prepared = self.prepare(frame)
        return self.decode(self.infer(prepared), prepared)

    def close(self) -> None:
        """Free the engine. Idempotent."""
        self.engine.close()
