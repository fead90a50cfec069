"""A small ONNX network whose every layer can be computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trt_pose_app.models.spec import ModelSpec

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def small_spec(**changes: Any) -> ModelSpec:
    """A part-affinity network of COCO18 for 64x96 pictures, maps of stride 4."""
    entry = {"name": "input", "width": 96, "height": 64, "colour": "rgb", "mean": MEAN, "std": STD, "multiple_of": 8}
    entry |= changes.pop("input", {})
    facts: dict[str, Any] = {
        "name": "small",
        "kind": "paf",
        "skeleton": "coco18",
        "input": entry,
        "outputs": {"cmap": "cmap", "paf": "paf"},
        "paf": {"stride": 4, "component_order": "yx"},
        "origin": {"licence": "Apache-2.0"},
        **changes,
    }
    return ModelSpec.model_validate(facts)


def small_model(*, first: str = "Conv", noise: float = 0.0) -> onnx.ModelProto:
    """Two convolutions of stride 2 with padding, then a 1x1 for each output; ``first`` "Relu" puts one before them."""
    rng = np.random.default_rng(7)
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 8, 3, 3), "wc": (18, 8, 1, 1), "wp": (42, 8, 1, 1)}
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["w1"] += noise
    entry = "input"
    nodes = []
    if first == "Relu":
        nodes.append(helper.make_node("Relu", ["input"], ["entry"]))
        entry = "entry"
    nodes += [
        helper.make_node("Conv", [entry, "w1"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "wc"], ["cmap"]),
        helper.make_node("Conv", ["c", "wp"], ["paf"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [
            helper.make_tensor_value_info("cmap", TensorProto.FLOAT, ["batch", 18, "rows", "columns"]),
            helper.make_tensor_value_info("paf", TensorProto.FLOAT, ["batch", 42, "rows", "columns"]),
        ],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pictures(count: int, *, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (70 + 10 * i, 90, 3), np.uint8) for i in range(count)]
