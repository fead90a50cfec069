"""How much each layer loses in int8, measured on the network's outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from converters.precision.feeds import Feed
from converters.precision.plain_graph import replace_nodes
from converters.precision.session import Session
from converters.precision.signals import Signals, signals_of
from trt_pose_app.models.spec import ModelSpec

_SWITCHES = "int8_switches"


class Switchboard:
    """A quantised network whose layers are switched between float32 and int8 from run to run.

    Building one ONNX Runtime session per layer would take minutes; here each layer chooses its operands by an element
    of one more input. The reference outputs, all layers in float32, are computed once and kept.
    """

    def __init__(
        self,
        plain: onnx.ModelProto,
        quantised: onnx.ModelProto,
        layers: Sequence[str],
        spec: ModelSpec,
        feeds: Sequence[Feed],
    ) -> None:
        self._layers = list(layers)
        self._spec = spec
        self._feeds = list(feeds)
        self._session = Session(_switched(plain, quantised, self._layers))
        self._reference = [self._run(feed, ()) for feed in self._feeds]

    def quality_db(self, layers: Collection[str]) -> float:
        """Return the signal-to-noise ratio in dB, of the worst of ``signals_of``, with these layers in int8.

        Signal is its power, noise that of its difference from float32, both summed over all frames.
        """
        signal: dict[str, float] = {}
        noise: dict[str, float] = {}
        for feed, reference in zip(self._feeds, self._reference):
            for name, values in self._run(feed, layers).items():
                signal[name] = signal.get(name, 0.0) + float(np.square(reference[name]).sum())
                noise[name] = noise.get(name, 0.0) + float(np.square(reference[name] - values).sum())
        return min(_decibel(signal[name], noise[name]) for name in signal)

    def _run(self, feed: Mapping[str, NDArray[Any]], layers: Collection[str]) -> Signals:
        switches = np.array([layer in layers for layer in self._layers])
        outputs = self._session.run(list(self._spec.outputs.values()), {**feed, _SWITCHES: switches})
        return signals_of(self._spec, outputs)


def _switched(plain: onnx.ModelProto, quantised: onnx.ModelProto, layers: Sequence[str]) -> onnx.ModelProto:
    """Return ``quantised`` with, before both operands of layer i, a choice by ``int8_switches[i]``."""
    originals = {node.name: node for node in plain.graph.node}
    model = onnx.ModelProto()
    model.CopyFrom(quantised)
    graph = model.graph
    present = {tensor.name for tensor in graph.initializer}
    weights = {tensor.name: tensor for tensor in plain.graph.initializer}
    nodes = []
    for node in graph.node:
        if node.name in layers:
            i = layers.index(node.name)
            graph.initializer.append(numpy_helper.from_array(np.array(i, np.int64), f"switch_{i}/index"))
            nodes.append(helper.make_node("Gather", [_SWITCHES, f"switch_{i}/index"], [f"switch_{i}"]))
            for operand in (0, 1):
                source = originals[node.name].input[operand]
                if source in weights and source not in present:
                    graph.initializer.append(weights[source])
                    present.add(source)
                chosen = f"switch_{i}/{operand}"
                nodes.append(helper.make_node("Where", [f"switch_{i}", node.input[operand], source], [chosen]))
                node.input[operand] = chosen
        nodes.append(node)
    replace_nodes(graph, nodes)
    graph.input.append(helper.make_tensor_value_info(_SWITCHES, TensorProto.BOOL, [len(layers)]))
    return model


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return float(np.inf)
    return 10 * float(np.log10(signal / noise)) if signal > 0 else -float(np.inf)
