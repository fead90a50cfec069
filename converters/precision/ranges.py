"""How far the numbers inside a network reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from converters.precision.feeds import Feeds
from converters.precision.plain_graph import FLOAT, element_types, expose
from converters.precision.progress import Progress
from converters.precision.session import Session


@dataclass(frozen=True, slots=True)
class Range:
    """Of one tensor over all frames: largest and smallest magnitude, and its largest number of elements."""

    peak: float
    least: float
    size: int

    def joined(self, other: Range) -> Range:
        """Return the range of both."""
        # A NaN must stay, and Python's max would drop it.
        return Range(float(np.maximum(self.peak, other.peak)), min(self.least, other.least), max(self.size, other.size))


def tensor_ranges(model: onnx.ModelProto, feeds: Feeds, progress: Progress) -> Mapping[str, Range]:
    """Return the range of every float32 tensor that a node of ``model`` makes or that is fed in.

    Each tensor is reduced to three numbers inside the graph, so that memory does not grow with the network.
    """
    types = element_types(model)
    names = [value.name for value in model.graph.input if types[value.name] == FLOAT]
    names += [name for node in model.graph.node for name in node.output if types.get(name) == FLOAT]
    measured = onnx.ModelProto()
    measured.CopyFrom(model)
    wanted = []
    for i, name in enumerate(names):
        magnitude, peak, least, size = (f"{kind}_of_{i}" for kind in ("magnitude", "peak", "least", "size"))
        measured.graph.node.extend(
            [
                helper.make_node("Abs", [name], [magnitude]),
                helper.make_node("ReduceMax", [magnitude], [peak], keepdims=0),
                helper.make_node("ReduceMin", [magnitude], [least], keepdims=0),
                helper.make_node("Size", [name], [size]),
            ]
        )
        wanted += [(peak, FLOAT), (least, FLOAT), (size, int(TensorProto.INT64))]
    session = Session(expose(measured, wanted))
    ranges: dict[str, Range] = {}
    for done, feed in enumerate(feeds):
        progress("measuring ranges", done, len(feeds))
        numbers = session.run([name for name, _ in wanted], feed)
        for i, name in enumerate(names):
            one = Range(float(numbers[f"peak_of_{i}"]), float(numbers[f"least_of_{i}"]), int(numbers[f"size_of_{i}"]))
            ranges[name] = ranges[name].joined(one) if name in ranges else one
    progress("measuring ranges", len(feeds), len(feeds))
    return ranges
