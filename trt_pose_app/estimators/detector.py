"""A person detector: one network, and how its input is made and its outputs are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.decode.detection import BoxDecoder, Boxes
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.estimators.roles import by_role, check_names
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec


class Detector(Closing):
    """Pictures in, ``Boxes`` of people out. Owns its engine and closes it."""

    def __init__(self, spec: ModelSpec, engine: Engine, preprocess: Preprocessor, decoder: BoxDecoder) -> None:
        check_names(spec, engine)
        self.spec = spec
        self.engine = engine
        self._preprocess = preprocess
        self._decoder = decoder

    def prepare(self, image: NDArray[np.uint8]) -> tuple[Mapping[str, NDArray[Any]], Geometry]:
        """Resize and normalise; may run on another thread than ``infer``."""
        tensor, geometry = self._preprocess(image)
        return {self.spec.input.name: tensor}, geometry

    def infer(self, feeds: Mapping[str, NDArray[Any]], geometry: Geometry) -> Boxes:
        """Return the people in a prepared picture."""
        return self._decoder.decode(by_role(self.spec, self.engine.infer(feeds)), geometry)

    def __call__(self, image: NDArray[np.uint8]) -> Boxes:
        """Return the people in an (H, W, 3) BGR uint8 picture."""
        return self.infer(*self.prepare(image))

    def close(self) -> None:
        """Free the engine. Idempotent."""
        self.engine.close()
