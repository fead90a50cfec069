"""Tiny ONNX networks made on the spot, so that engine tests need no file of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from scripts import paf_scenes as scenes


def write_affine_network(path: Path, *, side: int | str = "side") -> Path:
    """Write ``y = 2 x + 1`` over x (batch, 3, side, side) float32, and ``total`` = the sum over channels."""
    shape = ["batch", 3, side, side]
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Add", ["doubled", "one"], ["y"]),
        helper.make_node("ReduceSum", ["y", "axes"], ["total"], keepdims=1),
    ]
    constants = [
        numpy_helper.from_array(np.array(2, np.float32), "two"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.array([1], np.int64), "axes"),
    ]
    graph = helper.make_graph(
        nodes,
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("total", TensorProto.FLOAT, ["batch", 1, side, side]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_scripted_pose_network(folder: Path, name: str = "scripted") -> Path:
    """Write a bundle that sees the same two people in every picture, whatever it shows: for tests of everything else.

    COCO18 in trt_pose's conventions, input 128x128 stretched over the frame, maps of stride 4 that really go through
    the decoder.
    """
    made = scenes.maps({"seed": 1, "keypoints": TWO_PEOPLE}, 32, noise=0.0)
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["cmap_constant", "nothing"], ["cmap"]),
        helper.make_node("Add", ["paf_constant", "nothing"], ["paf"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(made["cmap"], "cmap_constant"),
        numpy_helper.from_array(made["paf"], "paf_constant"),
    ]
    graph = helper.make_graph(
        nodes,
        "scripted",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [
            helper.make_tensor_value_info("cmap", TensorProto.FLOAT, made["cmap"].shape),
            helper.make_tensor_value_info("paf", TensorProto.FLOAT, made["paf"].shape),
        ],
        constants,
    )
    path = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    path.with_suffix(".toml").write_text(
        f'name = "{name}"\nkind = "paf"\nskeleton = "coco18"\n'
        '[input]\nname = "image"\nwidth = 128\nheight = 128\ncolour = "bgr"\nresize = "stretch"\nmultiple_of = 4\n'
        '[outputs]\ncmap = "cmap"\npaf = "paf"\n'
        '[paf]\nstride = 4\ncomponent_order = "yx"\n'
        '[origin]\nlicence = "Apache-2.0"\n'
    )
    return path


def _standing(x: float) -> list[tuple[float, float]]:
    """One person in COCO18 order, (x, y) in [0, 1] of the picture, standing at ``x``."""
    head = [(0, 0.12), (0.03, 0.1), (-0.03, 0.1), (0.06, 0.12), (-0.06, 0.12)]
    arms = [(0.1, 0.25), (-0.1, 0.25), (0.14, 0.4), (-0.14, 0.4), (0.15, 0.54), (-0.15, 0.54)]
    legs = [(0.06, 0.55), (-0.06, 0.55), (0.07, 0.73), (-0.07, 0.73), (0.08, 0.9), (-0.08, 0.9)]
    return [(x + dx, y) for dx, y in (*head, *arms, *legs, (0, 0.25))]


TWO_PEOPLE = [_standing(0.27), _standing(0.73)]
