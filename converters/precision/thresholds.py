"""Where to cut activations off, so that 8 bits serve the values that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.precision.feeds import Feeds
from converters.precision.plain_graph import FLOAT, expose
from converters.precision.progress import Progress
from converters.precision.ranges import Range, tensor_ranges
from converters.precision.session import Session

Method = Literal["error", "entropy", "percentile", "minmax"]

_BINS = 2048
_LEVELS = 128  # magnitudes of a symmetric 8-bit number
_STEP = 16  # bins between two candidate thresholds
_PERCENTILE = 99.99
_BYTES_AT_ONCE = 128 << 20  # of activations given out by one run


def thresholds(
    model: onnx.ModelProto, names: Sequence[str], feeds: Feeds, method: Method, progress: Progress
) -> Mapping[str, float]:
    """Return for each tensor the magnitude that the largest 8-bit number stands for.

    ``minmax``: the largest magnitude seen. ``percentile``: that of 99.99 % of the values. ``entropy``: the one that
    loses the least information by Kullback-Leibler divergence (Migacz, 8-bit inference with TensorRT, 2017).
    Histograms are filled tensor group by tensor group, so that memory stays bounded at any size of the network.
    """
    ranges = tensor_ranges(model, feeds, progress)
    if method == "minmax":
        return {name: ranges[name].peak for name in names}
    choose = {"error": _error_threshold, "entropy": _entropy_threshold, "percentile": _percentile_threshold}[method]
    found: dict[str, float] = {}
    groups = _groups(names, ranges)
    for i, group in enumerate(groups):
        session = Session(expose(model, [(name, FLOAT) for name in group]))
        histograms = {name: np.zeros(_BINS, np.int64) for name in group}
        for j, feed in enumerate(feeds):
            progress("collecting histograms", i * len(feeds) + j, len(groups) * len(feeds))
            # The input cannot be given out as an output, but it is at hand.
            fed = {name: feed[name] for name in group if name in feed}
            for name, values in {**fed, **session.run([n for n in group if n not in feed], feed)}.items():
                if (peak := ranges[name].peak) > 0:
                    scaled = np.abs(values).ravel() * np.float32(_BINS / peak)
                    index = np.minimum(scaled.astype(np.int32), _BINS - 1)
                    histograms[name] += np.bincount(index, minlength=_BINS)
        for name, histogram in histograms.items():
            found[name] = choose(histogram) * ranges[name].peak
    progress("collecting histograms", len(groups) * len(feeds), len(groups) * len(feeds))
    return found


def _groups(names: Sequence[str], ranges: Mapping[str, Range]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    held = 0
    for name in dict.fromkeys(names):
        needed = 4 * ranges[name].size
        if groups[-1] and held + needed > _BYTES_AT_ONCE:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += needed
    return groups


def _percentile_threshold(histogram: NDArray[np.int64]) -> float:
    """Return the share of the range that holds the percentile."""
    if not histogram.any():
        return 1.0
    share = np.cumsum(histogram) / histogram.sum()
    return float(np.searchsorted(share, _PERCENTILE / 100) + 1) / len(histogram)


def _error_threshold(histogram: NDArray[np.int64]) -> float:
    """Return the share of the range with the least squared error of rounding inside it and cutting off beyond."""
    counts = histogram.astype(np.float64)
    centre = np.arange(len(counts)) + 0.5
    best, least = len(counts), np.inf
    for end in range(_STEP, len(counts) + 1, _STEP):
        step = end / (_LEVELS - 1)
        # The exact zeros behind a ReLU have no error.
        rounding = counts[1:end].sum() * step**2 / 12
        cutting = (counts[end:] * (centre[end:] - end) ** 2).sum()
        if rounding + cutting < least:
            best, least = end, rounding + cutting
    return best / len(counts)


def _entropy_threshold(histogram: NDArray[np.int64]) -> float:
    """Return the share of the range whose 128 levels diverge least from the histogram."""
    # The exact zeros behind a ReLU are represented without any loss whatever the threshold, and would drown the rest.
    counts = histogram.astype(np.float64)
    counts[0] = 0
    if not counts.any():
        return 1.0
    best, least = len(counts), np.inf
    for end in range(_LEVELS, len(counts) + 1, _STEP):
        inside = counts[:end]
        reference = inside.copy()
        reference[-1] += counts[end:].sum()
        level = np.arange(end) * _LEVELS // end
        filled = inside > 0
        total = np.bincount(level, inside, _LEVELS)
        bins = np.bincount(level, filled, _LEVELS)
        quantised = np.where(filled, (total / np.maximum(bins, 1))[level], 0)
        divergence = _divergence(reference, quantised)
        if divergence < least:
            best, least = end, divergence
    return best / len(counts)


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return KL(p || q) of two histograms; an empty bin of q counts as a ten-thousandth of a value."""
    if not q.any():
        return float(np.inf)
    q = np.where((q == 0) & (p > 0), 1e-4, q)
    p, q = p / p.sum(), q / q.sum()
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())
