"""The peaks of confidence maps as ONNX operators: what ``native/peaks.hpp`` does, for a fixed number of peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from converters.graph_tail import GraphTail

_HIGHEST = float(np.finfo(np.float32).max)
_LEAST_PEAK = 1e-30  # as the parser's: what is below is never a peak


@dataclass(frozen=True, slots=True)
class PeakTensors:
    """Names of what ``add_peaks`` made, for P parts and K peaks of each.

    ``table`` (N, P, K, 5): x, y, score, column, row; strongest first, score 0 where there are no more. ``xy``
    (N, P, K, 2) is a part of it. ``size`` (2,) int64 is the map's width and height, ``corner`` (2,) float its last
    column and row.
    """

    table: str
    xy: str
    size: str
    corner: str


def add_peaks(tail: GraphTail, cmap: str, channels: Sequence[int], max_peaks: int) -> PeakTensors:
    """Append the nodes that find the strongest ``max_peaks`` maxima of the confidence maps ``cmap`` (N, C, H, W)."""
    n_parts = len(channels)
    lowest, zero = tail.floats(-_HIGHEST), tail.floats(0)
    maps = tail("Gather", cmap, tail.integers(*channels), axis=1)
    maps = tail("Where", tail("Greater", maps, lowest), maps, lowest)  # NaN is neither a maximum nor in the way of one
    candidates = tail("Where", _maxima(tail, maps, lowest), maps, zero)
    flat, flat_candidates = (tail.reshape(tensor, 0, n_parts, -1) for tensor in (maps, candidates))
    score, cell = tail.several("TopK", flat_candidates, tail.integers(max_peaks), count=2, axis=-1)

    size = tail("Gather", tail("Shape", maps), tail.integers(3, 2), axis=0)
    width = tail("Gather", size, tail.integers(0), axis=0)
    row = tail("Div", cell, width)
    column = tail("Sub", cell, tail("Mul", row, width))
    last = tail.integers(-1)
    at = tail("Concat", tail("Unsqueeze", column, last), tail("Unsqueeze", row, last), axis=-1)
    end = tail("Sub", size, tail.integers(1))
    has_low, has_high = tail("Greater", at, tail.integers(0)), tail("Less", at, end)
    step = tail("Concat", tail.integers(1), width, axis=0)
    cell = tail("Unsqueeze", cell, last)
    # Outside the map a peak is its own neighbour, so that no index leaves the map.
    low_cell = tail("Where", has_low, tail("Sub", cell, step), cell)
    high_cell = tail("Where", has_high, tail("Add", cell, step), cell)
    cells = tail.reshape(tail("Concat", low_cell, high_cell, axis=-1), 0, n_parts, 4 * max_peaks)
    values = tail.reshape(tail("GatherElements", flat, cells, axis=2), 0, n_parts, max_peaks, 4)
    low, high = tail.several("Split", _logarithms(tail, values, score), tail.integers(2, 2), count=2, axis=-1)
    at = tail.as_float(at)
    xy = tail("Add", at, _offset(tail, low, high, has_low, has_high))
    table = tail("Concat", xy, tail("Unsqueeze", score, last), at, axis=-1)
    return PeakTensors(table, xy, size, tail.as_float(end))


def _maxima(tail: GraphTail, maps: str, lowest: str) -> str:
    """Return where no neighbour is higher. Of a plateau every cell is: the host makes one peak of them.

    The second look takes away two equal cells on a slope, one of them beside a higher one: half maps have such.
    """
    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    highest = tail("Equal", maps, tail("MaxPool", maps, **window))
    lower = tail("Where", highest, lowest, maps)
    beside_slope = tail("Equal", maps, tail("MaxPool", lower, **window))
    finite = tail("Less", maps, tail.floats(_HIGHEST))
    return tail("And", tail("And", highest, finite), tail("Not", beside_slope))


def _logarithms(tail: GraphTail, values: str, score: str) -> str:
    """Return log(value / score) of the neighbours (N, P, K, 4), none below a hundredth of the peak.

    By way of log(a / b) = 2 artanh((a - b) / (a + b)), whose relative error stays small where a is nearly b: on a flat
    top the plain logarithm in float32 would shift peaks by a hundredth of a cell.
    """
    real = tail("Greater", score, tail.floats(_LEAST_PEAK))
    peak = tail("Unsqueeze", tail("Where", real, score, tail.floats(1)), tail.integers(-1))
    least = tail("Mul", peak, tail.floats(0.01))
    value = tail("Where", tail("Greater", values, least), values, least)
    ratio = tail("Div", tail("Sub", value, peak), tail("Add", value, peak))
    return tail("Mul", tail("Atanh", ratio), tail.floats(2))


def _offset(tail: GraphTail, low: str, high: str, has_low: str, has_high: str) -> str:
    """Return where the Gaussians peak, in cells from the cell's centre; all (N, P, K, 2)."""
    zero, one, half = tail.floats(0), tail.floats(1), tail.floats(0.5)
    both = tail("And", has_low, has_high)
    curvature = tail("Where", both, tail("Neg", tail("Add", low, high)), zero)
    other = tail("Gather", curvature, tail.integers(1, 0), axis=3)
    curved, other_curved = tail("Greater", curvature, zero), tail("Greater", other, zero)
    divisor, other_divisor = tail("Where", curved, curvature, one), tail("Where", other_curved, other, one)
    inside = tail("Div", tail("Mul", half, tail("Sub", high, low)), divisor)
    inside = tail("Where", curved, inside, zero)
    # At the map's edge the other axis lends its width.
    left_edge = tail("Add", half, tail("Div", high, other_divisor))
    right_edge = tail("Sub", tail.floats(-0.5), tail("Div", low, other_divisor))
    edge = tail("Where", has_high, left_edge, tail("Where", has_low, right_edge, zero))
    edge = tail("Where", other_curved, edge, zero)
    offset = tail("Where", both, inside, edge)
    offset = tail("Max", tail("Min", offset, half), tail.floats(-0.5))
    # NaN, which only garbage makes, must not become an index.
    return tail("Where", tail("Less", tail("Abs", offset), one), offset, zero)
