"""What a pass left in higher precision and why, written into the model's own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import onnx

_KEY = "trt_pose_kept"


@dataclass(frozen=True, slots=True)
class Kept:
    """One layer that a pass did not convert: its node's name, its operator and the reason."""

    node: str
    operator: str
    reason: str


def write_kept(model: onnx.ModelProto, reasons: Mapping[str, str]) -> None:
    """Note in ``model`` the nodes left in higher precision, each with its reason, after those noted before."""
    operators = {node.name: node.op_type for node in model.graph.node}
    rows = [(layer.node, layer.operator, layer.reason) for layer in kept_layers(model)]
    for entry in [entry for entry in model.metadata_props if entry.key == _KEY]:
        model.metadata_props.remove(entry)
    rows += [(name, operators[name], reason) for name, reason in reasons.items()]
    model.metadata_props.add(key=_KEY, value=json.dumps(rows))


def kept_layers(model: onnx.ModelProto) -> tuple[Kept, ...]:
    """Return the layers that ``to_fp16`` or ``to_int8`` left in higher precision in this model."""
    entries = [entry.value for entry in model.metadata_props if entry.key == _KEY]
    return tuple(Kept(*row) for row in json.loads(entries[0])) if entries else ()
