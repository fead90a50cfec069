"""Bottom-up estimation: one run of a part-affinity network finds everybody in the frame."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.decode.protocol import Decoder
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.estimators.protocol import Prepared, as_frame
from trt_pose_app.estimators.roles import by_role, check_names
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses


class BottomUp(Closing):
    """Frames in, ``Poses`` out. Owns its engine and closes it.

    The three stages can be called one by one, ``prepare`` on another thread than ``infer`` and ``decode``: that is
    how the pipeline prepares frame n + 1 while the network works on frame n.
    """

    def __init__(self, spec: ModelSpec, engine: Engine, preprocess: Preprocessor, decoder: Decoder) -> None:
        check_names(spec, engine)
        self.spec = spec
        self.engine = engine
        self.skeleton: Skeleton = spec.build_skeleton()
        self._preprocess = preprocess
        self._decoder = decoder

    def prepare(self, frame: Frame) -> Prepared:
        """Resize and normalise."""
        start = perf_counter()
        tensor, geometry = self._preprocess(frame.image)
        return Prepared(frame.image, {self.spec.input.name: tensor}, geometry, (perf_counter() - start) * 1e3)

    def infer(self, prepared: Prepared) -> Mapping[str, NDArray[Any]]:
        """Run the network; the maps stay valid until the next call."""
        return by_role(self.spec, self.engine.infer(prepared.feeds))

    def decode(self, maps: Mapping[str, NDArray[Any]], prepared: Prepared) -> Poses:
        """Read the people out of the maps, in pixels of the frame."""
        return self._decoder.decode(maps, [prepared.geometry])[0]

    def __call__(self, frame: Frame | NDArray[np.uint8]) -> Poses:
        """Return the people in a frame, or in an (H, W, 3) BGR uint8 picture."""
        prepared = self.prepare(as_frame(frame))
        return self.decode(self.infer(prepared), prepared)

    def close(self) -> None:
        """Free the engine. Idempotent."""
        self.engine.close()
