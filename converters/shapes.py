"""Batch and picture size of an ONNX network, fixed where they were free."""

from __future__ import annotations

import onnx

from trt_pose_app.errors import ConfigError
from trt_pose_app.models.spec import ModelSpec


def fix_shapes(
    model: onnx.ModelProto, spec: ModelSpec, *, batch: int | None = None, size: tuple[int, int] | None = None
) -> tuple[onnx.ModelProto, ModelSpec]:
    """Return the model with the batch and (width, height) given; None leaves them as they are.

    The input model, which takes NCHW, is not changed. Raises ConfigError where another number is fixed already:
    layers inside may rely on it.
    """
    spec = resized(spec, size)
    if batch is None and size is None:
        return model, spec
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    entry = next(value for value in fixed.graph.input if value.name == spec.input.name)
    width, height = size or (None, None)
    free = {}
    for what, wanted, side in zip(
        ("batch", "channels", "height", "width"), (batch, None, height, width), _sides(entry)
    ):
        if wanted is None or side.dim_value == wanted:
            continue
        if side.dim_value:
            raise ConfigError(
                f"the {what} of {spec.name} is fixed to {side.dim_value}",
                hint=f"leave out --{'batch' if what == 'batch' else 'input-size'}, or convert the checkpoint itself",
            )
        free[side.dim_param] = wanted
        side.dim_value = wanted
    for output in fixed.graph.output:
        for side in _sides(output):
            if side.dim_param in free:
                side.dim_value = free[side.dim_param]
    return fixed, spec


def resized(spec: ModelSpec, size: tuple[int, int] | None) -> ModelSpec:
    """Return the spec with an input of (width, height). Raises ConfigError for a size that the network cannot take."""
    if size is None:
        return spec
    width, height = size
    multiple = spec.input.multiple_of
    if width < 1 or height < 1 or width % multiple or height % multiple:
        raise ConfigError(
            f"{spec.name} cannot take pictures of {height}x{width}", hint=f"both are multiples of {multiple}"
        )
    if spec.kind in ("simcc", "heatmap", "refiner") and size != (spec.input.width, spec.input.height):
        raise ConfigError(
            f"{spec.name} has layers made for {spec.input.height}x{spec.input.width}", hint="leave out --input-size"
        )
    return spec.model_copy(update={"input": spec.input.model_copy(update={"width": width, "height": height})})


def _sides(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return list(value.type.tensor_type.shape.dim)
