"""Nodes appended to a finished graph, with names of their own."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


class GraphTail:
    """Appends nodes to ``graph``; calling it appends one and returns what it makes.

    All names start with ``prefix``. Nodes are named too: TensorRT keeps a named float32 node in float32.
    """

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        self._graph = graph
        self._prefix = prefix
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}

    def __call__(self, operator: str, *inputs: str, **attributes: object) -> str:
        return self.several(operator, *inputs, count=1, **attributes)[0]

    def several(self, operator: str, *inputs: str, count: int, **attributes: object) -> list[str]:
        """Append a node with ``count`` outputs and return them."""
        name = f"{self._prefix}{operator}_{len(self._graph.node)}"
        outputs = [name if i == 0 else f"{name}_{i}" for i in range(count)]
        self._graph.node.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs

    def floats(self, *values: float) -> str:
        """Return a float32 constant; a single value broadcasts over anything."""
        return self.constant(np.array(values, np.float32))

    def integers(self, *values: int) -> str:
        """Return an int64 constant."""
        return self.constant(np.array(values, np.int64))

    def constant(self, values: NDArray[np.generic]) -> str:
        """Return a constant, the same for the same values."""
        key = (values.dtype.name, values.tobytes(), values.shape)
        if key not in self._constants:
            name = f"{self._prefix}constant_{len(self._constants)}"
            self._graph.initializer.append(numpy_helper.from_array(values, name))
            self._constants[key] = name
        return self._constants[key]

    def reshape(self, tensor: str, *shape: int) -> str:
        """Return ``tensor`` in another shape; 0 keeps the side at that place, -1 takes what is left."""
        return self("Reshape", tensor, self.integers(*shape))

    def as_float(self, tensor: str) -> str:
        return self("Cast", tensor, to=TensorProto.FLOAT)

    def as_index(self, tensor: str) -> str:
        """Return ``tensor`` as int64, cut towards zero."""
        return self("Cast", tensor, to=TensorProto.INT64)
