"""A network in half numbers, with float32 where half would overflow."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from converters.fold_batch_norm import fold_batch_norm
from converters.precision.feeds import Feeds
from converters.precision.fold_bias import fold_bias
from converters.precision.half_range import BOUNDED, LARGEST, beyond_half, input_takes_half
from converters.precision.plain_graph import (
    FLOAT,
    FLOAT16,
    at_least,
    drop_unused,
    element_types,
    opset,
    plain,
    replace_nodes,
)
from converters.precision.progress import Progress, silent
from converters.precision.ranges import tensor_ranges
from converters.precision.record import write_kept
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.spec import ModelSpec

_LOG = logging.getLogger(__name__)

_QUANTISED_OPSET = 19  # the first whose QuantizeLinear reads half numbers


def to_fp16(
    model: onnx.ModelProto,
    spec: ModelSpec,
    frames: Sequence[NDArray[np.uint8]],
    *,
    keep: Sequence[str] = (),
    progress: Progress = silent,
) -> tuple[onnx.ModelProto, ModelSpec]:
    """Return the network with weights and activations in half numbers; inputs and outputs keep their types.

    ``frames`` (H, W, 3) uint8 BGR run through the float32 network to find the nodes that half numbers cannot carry
    (see ``beyond_half``). These stay in float32, and so does what ``keep`` names: patterns of node names or operators.
    ``kept_layers(result)`` lists them with their reasons. Check the result through ``emulate_half``: ONNX Runtime
    computes half graphs in float32 on a CPU and so hides every overflow.
    The result of ``to_int8`` may be given too: it stays int8, and what it has in float32 becomes half.
    Raises ConfigError for a pattern that matches nothing, EngineBuildError if the network cannot run.
    """
    quantised = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    prepared = plain(fold_batch_norm(at_least(model, _QUANTISED_OPSET) if quantised else model))
    prepared = fold_bias(prepared)
    ranges = tensor_ranges(prepared, Feeds(prepared, spec, frames), progress)
    kept = beyond_half(prepared, ranges)
    for pattern in keep:
        matches = [
            node.name
            for node in prepared.graph.node
            if fnmatchcase(node.name, pattern) or fnmatchcase(node.op_type, pattern)
        ]
        if not matches:
            raise ConfigError(f"no node matches {pattern!r}", hint="give a node's name or operator, * matches anything")
        kept.update((name, f"asked for by {pattern}") for name in matches if name not in kept)
    for name, reason in kept.items():
        _LOG.info("%s stays in float32: %s", name, reason)
    half = write_half(prepared, kept)
    write_kept(half, kept)
    onnx.checker.check_model(half)
    changed = spec.model_copy(
        update={"precision": "int8" if quantised else "fp16", "origin": spec.origin.model_copy(update={"sha256": None})}
    )
    return half, ModelSpec.model_validate(changed.model_dump())


def write_half(model: onnx.ModelProto, kept: Mapping[str, str]) -> onnx.ModelProto:
    """Return a ``plain`` model with every float32 tensor in half, save those between nodes that are ``kept``.

    Why not the float16 converters of onnxconverter-common or ONNX Runtime: both pass values between two neighbouring
    kept nodes through half, where the very overflow happens that the nodes were kept for.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    types = element_types(model)
    writer = _Writer(types, {tensor.name: tensor for tensor in model.graph.initializer})
    outputs = {output.name for output in model.graph.output}
    for node in half.graph.node:
        version = opset(model)
        for i, name in enumerate(node.input):
            if types.get(name) == FLOAT:
                wants_half = node.name not in kept and input_takes_half(node, i, version)
                node.input[i] = (
                    writer.as_half(name, bounds=node.op_type in BOUNDED) if wants_half else writer.as_float(name)
                )
        made = [i for i, name in enumerate(node.output) if types.get(name) == FLOAT]
        writer.nodes.append(node)
        if node.name in kept:
            continue
        if made and node.op_type == "Cast":
            next(a for a in node.attribute if a.name == "to").i = FLOAT16
        for i in made:
            name = node.output[i]
            node.output[i] = writer.made_half(name)
            if name in outputs:
                writer.as_float(name)
    replace_nodes(half.graph, writer.nodes)
    half.graph.initializer.extend(writer.tensors)
    drop_unused(half.graph)
    return half


class _Writer:
    """Collects the nodes of the new graph and makes each cast and each half constant once."""

    def __init__(self, types: Mapping[str, int], constants: Mapping[str, onnx.TensorProto]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._taken = set(types)
        self._constants = constants
        self._half: dict[str, str] = {}  # tensor -> its half variant
        self._float: set[str] = set()  # tensors made in half that are there in float32 as well
        self._made_half: set[str] = set()

    def made_half(self, name: str) -> str:
        """Return the name under which a node is to make the tensor in half."""
        self._made_half.add(name)
        self._half[name] = self._new(f"{name}_half")
        return self._half[name]

    def as_float(self, name: str) -> str:
        """Return the name of the tensor in float32."""
        if name in self._made_half and name not in self._float:
            self._float.add(name)
            self.nodes.append(_cast(self._half[name], name, FLOAT))
        return name

    def as_half(self, name: str, *, bounds: bool) -> str:
        """Return the name of the tensor in half; ``bounds`` allows to cut a constant to half's range."""
        if name not in self._half:
            self._half[name] = self._new(f"{name}_half")
            if name in self._constants:
                self.tensors.append(self._constant(name, bounds))
            else:
                self.nodes.append(_cast(name, self._half[name], FLOAT16))
        return self._half[name]

    def _constant(self, name: str, bounds: bool) -> onnx.TensorProto:
        values = numpy_helper.to_array(self._constants[name])
        if bounds and np.abs(values).max(initial=0) > LARGEST:
            _LOG.info("the bound %s is cut to half's range, %g", name, LARGEST)
            values = values.clip(-LARGEST, LARGEST)
        return numpy_helper.from_array(values.astype(np.float16), self._half[name])

    def _new(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _cast(source: str, target: str, data_type: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast_to_{target}", to=data_type)
