"""The scores of all pairs of peaks as ONNX operators: what ``native/limbs.hpp`` does, in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converters.graph_tail import GraphTail
from converters.peak_graph import PeakTensors
from trt_pose_app.decode.paf_params import PafParams
from trt_pose_app.decode.paf_reference import LEAST_LENGTH_SQUARED, middle_out

_HIGHEST = float(np.finfo(np.float32).max)

LimbRow = tuple[int, int, int, int, bool]  # from, to, x channel, y channel, attach only
Pair = tuple[str, str]  # tensors for x and y, each by itself: sums over a last axis of two are slow


def add_limbs(
    tail: GraphTail, paf: str, peaks: PeakTensors, limbs: Sequence[LimbRow], params: PafParams, max_peaks: int
) -> str:
    """Append the scores of the affinity maps ``paf`` (N, C, H, W) between the peaks; return their name.

    They are (N, L, K, K): the field's mean along the limb from peak a of its first part to peak b of its second, 0
    where the pair is no limb.
    """
    zero, samples = tail.floats(0), params.limb_samples
    starts, ends = (_ends(tail, peaks, [limb[which] for limb in limbs], which, max_peaks) for which in (0, 1))
    # The direction is never normalised: a component c of a vector of length d is more than t if c^2 > t^2 d^2.
    dx, dy = (tail("Sub", end, start) for start, end in zip(starts, ends))
    squared = tail("Add", tail("Mul", dx, dx), tail("Mul", dy, dy))
    steps = tail.constant(middle_out(samples).reshape(-1, 1, 1, 1))
    places = [tail("Add", start, tail("Mul", steps, along)) for start, along in zip(starts, (dx, dy))]
    along = _components(tail, paf, peaks, limbs, (places[0], places[1]), (dx, dy), (samples, len(limbs), max_peaks))

    threshold = np.float32(params.limb_threshold)
    least = tail("Mul", tail.constant(np.array([threshold * threshold])), squared)
    agrees = tail("And", tail("Greater", tail("Mul", along, along), least), tail("Greater", along, zero))
    samples_axis = tail.integers(1)
    agreed = tail("ReduceSum", tail.as_float(agrees), samples_axis, keepdims=0)
    total = tail("ReduceSum", along, samples_axis, keepdims=0)
    squared = tail("Squeeze", squared, samples_axis)
    mean = tail("Div", total, tail("Mul", tail.floats(samples), tail("Sqrt", squared)))
    passes = tail("Greater", agreed, tail.floats(params.needed_samples - 0.5))
    for condition in (
        tail("Greater", squared, tail.floats(float(LEAST_LENGTH_SQUARED))),
        tail("Greater", mean, zero),
        tail("Less", mean, tail.floats(_HIGHEST)),
    ):
        passes = tail("And", passes, condition)
    return tail("Where", passes, mean, zero)


def _ends(tail: GraphTail, peaks: PeakTensors, parts: Sequence[int], which: int, max_peaks: int) -> Pair:
    """Return where limbs begin (0) or end (1), inside the map: x and y, (N, 1, L, K, 1) or (N, 1, L, 1, K)."""
    inside = tail("Min", tail("Max", peaks.xy, tail.floats(0)), peaks.corner)
    of_limbs = tail("Gather", inside, tail.integers(*parts), axis=1)
    x, y = tail.several("Split", of_limbs, tail.integers(1, 1), count=2, axis=-1)
    shape = (0, 1, len(parts), max_peaks, 1) if which == 0 else (0, 1, len(parts), 1, max_peaks)
    return tail.reshape(x, *shape), tail.reshape(y, *shape)


def _components(
    tail: GraphTail,
    paf: str,
    peaks: PeakTensors,
    limbs: Sequence[LimbRow],
    places: Pair,
    vectors: Pair,
    sizes: tuple[int, int, int],
) -> str:
    """Return the field's components along ``vectors`` at ``places``, sampled bilinearly: (N, S, L, K, K)."""
    samples, n_limbs, k = sizes
    planes = [
        tail.reshape(tail("Gather", paf, tail.integers(*(limb[axis] for limb in limbs)), axis=1), 0, -1)
        for axis in (2, 3)
    ]  # (N, L H W) each
    width, height = tail.several("Split", peaks.size, tail.integers(1, 1), count=2, axis=0)
    edges = tail.several("Split", peaks.corner, tail.integers(1, 1), count=2, axis=0)
    bases = [tail("Floor", place) for place in places]
    fx, fy = (tail("Sub", place, base) for place, base in zip(places, bases))
    beyond = [tail("Min", tail("Add", base, tail.floats(1)), edge) for base, edge in zip(bases, edges)]
    (left, top), (right, bottom) = ([tail.as_index(cell) for cell in cells] for cells in (bases, beyond))
    limb = tail.constant(np.arange(n_limbs, dtype=np.int64).reshape(-1, 1, 1))
    first = tail("Mul", limb, tail("Mul", width, height))
    top, bottom = (tail("Add", first, tail("Mul", row, width)) for row in (top, bottom))

    def between(column: str) -> str:
        """Return the component at a column, between the rows."""
        above, below = (tail.reshape(tail("Add", row, column), 0, -1) for row in (top, bottom))
        products = []
        for plane, vector in zip(planes, vectors):
            high, low = (
                tail.reshape(tail("GatherElements", plane, index, axis=1), 0, samples, n_limbs, k, k)
                for index in (above, below)
            )
            mixed = tail("Add", high, tail("Mul", fy, tail("Sub", low, high)))
            products.append(tail("Mul", mixed, vector))
        return tail("Add", *products)

    at_left, at_right = between(left), between(right)
    return tail("Add", at_left, tail("Mul", fx, tail("Sub", at_right, at_left)))
