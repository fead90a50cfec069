"""One side of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from trt_pose_app.engines.protocol import Engine
from trt_pose_app.models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Side:
    """A network that runs, and what its tensors mean; ``label`` names it in the report."""

    label: str
    spec: ModelSpec
    engine: Engine
