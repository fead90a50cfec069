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


def add_limbs(
    tail: GraphTail, paf: str, peaks: PeakTensors, limbs: Sequence[LimbRow], params: PafParams, max_peaks: int
) -> str:
    """Append the scores of the affinity maps ``paf`` (N, C, H, W) between the peaks; return their name.

    They are (N, L, K, K): the field's mean along the limb from peak a of its first part to peak b of its second, 0
    where the pair is no limb.
    """
    n_limbs, k, samples = len(limbs), max_peaks, params.limb_samples
    zero = tail.floats(0)
    ends = tail("Min", tail("Max", peaks.xy, zero), peaks.corner)
    starts = tail("Gather", ends, tail.integers(*(limb[0] for limb in limbs)), axis=1)
    targets = tail("Gather", ends, tail.integers(*(limb[1] for limb in limbs)), axis=1)
    starts, targets = tail.reshape(starts, 0, n_limbs, k, 1, 2), tail.reshape(targets, 0, n_limbs, 1, k, 2)
    vector = tail("Sub", targets, starts)  # (N, L, K, K, 2)
    squared = tail.total(tail("Mul", vector, vector))

    sample_axis = tail.integers(4)
    vectors = tail("Unsqueeze", vector, sample_axis)
    places = tail("Mul", tail.constant(middle_out(samples).reshape(-1, 1)), vectors)
    places = tail("Add", tail("Unsqueeze", starts, sample_axis), places)  # (N, L, K, K, S, 2)
    along = _components(tail, paf, peaks, limbs, places, vectors, (n_limbs, k, k, samples))

    # The direction is never normalised: a component c of a vector of length d is more than t if c^2 > t^2 d^2.
    threshold = np.float32(params.limb_threshold)
    least = tail("Mul", tail.constant(np.array([threshold * threshold])), squared)
    enough = tail("Greater", tail("Mul", along, along), tail("Unsqueeze", least, sample_axis))
    agreed = tail.total(tail.as_float(tail("And", enough, tail("Greater", along, zero))))
    length = tail("Mul", tail.floats(samples), tail("Sqrt", squared))
    mean = tail("Div", tail.total(along), length)
    passes = tail("Greater", agreed, tail.floats(params.needed_samples - 0.5))
    for condition in (
        tail("Greater", squared, tail.floats(float(LEAST_LENGTH_SQUARED))),
        tail("Greater", mean, zero),
        tail("Less", mean, tail.floats(_HIGHEST)),
    ):
        passes = tail("And", passes, condition)
    return tail("Where", passes, mean, zero)


def _components(
    tail: GraphTail,
    paf: str,
    peaks: PeakTensors,
    limbs: Sequence[LimbRow],
    places: str,
    vectors: str,
    shape: tuple[int, int, int, int],
) -> str:
    """Return the field's components along ``vectors`` at ``places``, sampled bilinearly: (N, *shape)."""
    n_limbs = shape[0]
    channels = [channel for limb in limbs for channel in limb[2:4]]
    field = tail("Gather", paf, tail.integers(*channels), axis=1)
    field = tail("Transpose", tail.reshape(field, 0, n_limbs, 2, -1), perm=[0, 1, 3, 2])
    cells = tail.reshape(field, 0, -1, 2)  # (N, L H W, 2): x and y of a cell side by side

    base = tail("Floor", places)
    beyond = tail("Min", tail("Add", base, tail.floats(1)), peaks.corner)
    two = tail.integers(1, 1)
    x0, y0 = tail.several("Split", tail.as_index(base), two, count=2, axis=-1)
    x1, y1 = tail.several("Split", tail.as_index(beyond), two, count=2, axis=-1)
    fx, fy = tail.several("Split", tail("Sub", places, base), two, count=2, axis=-1)
    width, height = tail.several("Split", peaks.size, two, count=2, axis=0)
    limb = tail.constant(np.arange(n_limbs, dtype=np.int64).reshape(-1, 1, 1, 1, 1))
    first = tail("Mul", limb, tail("Mul", width, height))
    top, bottom = (tail("Add", first, tail("Mul", y, width)) for y in (y0, y1))

    def at(row: str, column: str) -> str:
        index = tail.reshape(tail("Add", row, column), 0, -1, 1)
        return tail.reshape(tail("GatherND", cells, index, batch_dims=1), 0, *shape, 2)

    def between(column: str) -> str:
        above, below = at(top, column), at(bottom, column)
        mixed = tail("Add", above, tail("Mul", fy, tail("Sub", below, above)))
        return tail.total(tail("Mul", mixed, vectors))

    left, right = between(x0), between(x1)
    return tail("Add", left, tail("Mul", tail("Squeeze", fx, tail.integers(-1)), tail("Sub", right, left)))
