"""Peaks and limb scores moved into the network, so that kilobytes leave the GPU instead of maps."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from converters.graph_tail import GraphTail
from converters.limb_graph import add_limbs
from converters.peak_graph import add_peaks
from trt_pose_app.decode.paf_params import PafParams
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import paf_layout
from trt_pose_app.models.spec import ModelSpec

MAX_PEAKS = 32

_PREFIX = "fuse/"
_OPSET = 13  # the first in which sums take their axes as an input


def fuse_peaks(
    model: onnx.ModelProto, spec: ModelSpec, *, max_peaks: int = MAX_PEAKS
) -> tuple[onnx.ModelProto, ModelSpec]:
    """Return the network with ``peaks`` and ``limbs`` for outputs instead of its maps, and its spec, kind paf_fused.

    ``peaks`` (N, parts, K, 5) and ``limbs`` (N, limbs, K, K) are what ``FusedDecoder`` finishes. K is ``max_peaks`` or,
    if that is less, the spec's ``decode.max_peaks``. The limb thresholds of the spec's [decode] are built in; the
    others stay free. What is appended computes in float32 whatever the maps are, so do this last: a later change of
    precision would round coordinates. The input model is not changed.
    Raises ConfigError for another kind of network, an old opset or a map with fewer cells than peaks.
    """
    if spec.kind != "paf":
        raise ConfigError(
            f"{spec.name} is a {spec.kind} network: only paf networks have peaks and limbs to fuse",
            hint="leave out --fuse-peaks" + (": it is fused already" if spec.kind == "paf_fused" else ""),
        )
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
    if opset < _OPSET:
        raise ConfigError(
            f"{spec.name} has the operators of opset {opset}, --fuse-peaks needs {_OPSET} or later",
            hint="convert the original checkpoint, or export the network again",
        )
    params = PafParams(**spec.decode.model_dump())
    k = min(max_peaks, params.max_peaks)
    layout = paf_layout(spec)
    n_parts, limbs = len(spec.build_skeleton()), layout.limb_table()
    fused = onnx.ModelProto()
    fused.CopyFrom(model)
    graph = fused.graph
    maps = {output.name: output for output in graph.output}
    cmap, paf = (maps[spec.outputs[role]] for role in ("cmap", "paf"))
    batch, _, *sides = cmap.type.tensor_type.shape.dim
    if 0 < sides[0].dim_value * sides[1].dim_value < k:
        raise ConfigError(f"the maps of {spec.name} have fewer than {k} cells", hint="use a larger --input-size")

    tail = GraphTail(graph, _PREFIX)
    peaks = add_peaks(tail, _as_float(tail, cmap), layout.part_channels(n_parts), k)
    links = add_limbs(tail, _as_float(tail, paf), peaks, limbs, params, k)
    del graph.output[:]
    sizes = {"peaks": (peaks.table, (n_parts, k, 5)), "limbs": (links, (len(limbs), k, k))}
    for name, (tensor, shape) in sizes.items():
        graph.node.append(helper.make_node("Identity", [tensor], [name], name=f"{_PREFIX}{name}"))
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, *shape])
        output.type.tensor_type.shape.dim[0].CopyFrom(batch)
        graph.output.append(output)
    changed = {
        **spec.model_dump(),
        "kind": "paf_fused",
        "outputs": {name: name for name in sizes},
        "decode": {**spec.decode.model_dump(), "max_peaks": k},
        "origin": {**spec.origin.model_dump(), "sha256": None},
    }
    return fused, ModelSpec.model_validate(changed)


def _as_float(tail: GraphTail, maps: onnx.ValueInfoProto) -> str:
    half = maps.type.tensor_type.elem_type == TensorProto.FLOAT16
    return tail.as_float(maps.name) if half else maps.name
