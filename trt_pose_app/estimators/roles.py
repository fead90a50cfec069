"""The seam between a spec and its engine: the network must have the input and outputs that the spec names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from trt_pose_app.engines.protocol import Engine
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import ModelSpec


def check_names(spec: ModelSpec, engine: Engine) -> None:
    """Raise ModelSpecError unless the engine has what the spec names."""
    missing = sorted(set(spec.outputs.values()) - set(engine.outputs))
    if missing or spec.input.name not in engine.inputs:
        raise ModelSpecError(
            f"the spec of {spec.name} names {', '.join([*missing, spec.input.name])}, the network has the inputs "
            f"{', '.join(engine.inputs)} and the outputs {', '.join(sorted(engine.outputs))}",
            hint="correct [input] name and [outputs] in the spec",
        )


def by_role(spec: ModelSpec, outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return an engine's outputs by the roles that the spec gives them."""
    return {role: outputs[name] for role, name in spec.outputs.items()}
