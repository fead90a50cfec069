"""A detector that sees the same boxes in every picture, and a pose network that sees the same keypoints in every crop.

Their numbers are constants; boxes, crops, batches, decoding and coordinates are the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = (96, 128)  # width and height of a crop
AT = (40.0, 60.5)  # where in its crop every keypoint lies, px


def write_detector(folder: Path, boxes: Sequence[Sequence[float]], name: str = "boxes") -> Path:
    """Write a detector (format ``boxes``, input 128x128 letterbox at the top left) of (x0, y0, x1, y1, score)."""
    rows = np.array(boxes, np.float32).reshape(1, -1, 5)
    _write(folder / f"{name}.onnx", {"dets": rows}, [1, 3, 128, 128])
    (folder / f"{name}.toml").write_text(
        f'name = "{name}"\nkind = "detector"\n'
        '[input]\nname = "x"\nwidth = 128\nheight = 128\ncolour = "bgr"\nresize = "letterbox-top-left"\n'
        '[outputs]\nboxes = "dets"\n[detector]\nformat = "boxes"\n[origin]\nlicence = "MIT"\n'
    )
    return folder / f"{name}.onnx"


def write_pose(folder: Path, name: str = "pose", *, batch: int | str = "batch", score: float = 0.8) -> Path:
    """Write a SimCC network of 17 keypoints whose scores fall from ``score`` to half of it."""
    width, height = SIZE
    x, y = np.zeros((1, 17, 2 * width), np.float32), np.zeros((1, 17, 2 * height), np.float32)
    peaks = np.linspace(score, score / 2, 17)
    x[0, :, int(2 * AT[0])], y[0, :, int(2 * AT[1])] = peaks, peaks
    _write(folder / f"{name}.onnx", {"simcc_x": x, "simcc_y": y}, [batch, 3, height, width])
    (folder / f"{name}.toml").write_text(
        f'name = "{name}"\nkind = "simcc"\nskeleton = "coco17"\n'
        f'[input]\nname = "x"\nwidth = {width}\nheight = {height}\ncolour = "rgb"\nresize = "affine-crop"\n'
        '[outputs]\nx = "simcc_x"\ny = "simcc_y"\n[simcc]\n[origin]\nlicence = "MIT"\n'
    )
    return folder / f"{name}.onnx"


def _write(path: Path, outputs: dict[str, np.ndarray], shape: list[int | str]) -> None:
    """Write a network that repeats constants for each row of its input ``x``."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "last"], ["column"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "last"),
    ]
    infos = []
    for name, values in outputs.items():
        constants.append(numpy_helper.from_array(values, f"{name}_constant"))
        nodes.append(helper.make_node("Add", [f"{name}_constant", "column"], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], *values.shape[1:]]))
    graph = helper.make_graph(
        nodes, "scripted", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], infos, constants
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
