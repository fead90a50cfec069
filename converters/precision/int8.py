"""A network in int8, with float32 where 8 bits would cost too much."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.fold_batch_norm import fold_batch_norm
from converters.precision.feeds import Feeds
from converters.precision.fold_bias import fold_bias
from converters.precision.plain_graph import at_least, plain
from converters.precision.progress import Progress, silent
from converters.precision.quantise import quantise, weighted_layers
from converters.precision.record import write_kept
from converters.precision.sensitivity import Switchboard
from converters.precision.thresholds import Method, thresholds
from trt_pose_app.errors import EngineBuildError
from trt_pose_app.models.spec import ModelSpec

_LOG = logging.getLogger(__name__)

_OPSET = 13  # the first whose DequantizeLinear has an axis
_SENSITIVITY_FRAMES = 4  # each layer runs over them alone
_SEARCH_FRAMES = 12
SEARCH_S = 180.0
_CLOSE_ENOUGH = 16  # the search ends when it knows the number of layers to a sixteenth
_SINGLE_LAYERS = 80  # up to so many are measured one by one
_GROUP = 6  # beyond: so many together at first


def to_int8(
    model: onnx.ModelProto,
    spec: ModelSpec,
    frames: Sequence[NDArray[np.uint8]],
    *,
    method: Method = "error",
    per_channel: bool = True,
    budget_db: float = 18.0,
    search_s: float = SEARCH_S,
    progress: Progress = silent,
) -> tuple[onnx.ModelProto, ModelSpec]:
    """Return the network with explicit QuantizeLinear / DequantizeLinear around its convolutions and matrix products.

    ``frames`` (H, W, 3) uint8 BGR are what the network will see, 64 or more; ``method`` chooses the activations' range
    from them (see ``thresholds``). If the outputs' signal-to-noise ratio against float32 stays below ``budget_db``,
    the layers that lose most when quantised alone are left in float32, as few as a search of about ``search_s`` seconds
    finds enough; 0 leaves none. ``kept_layers(result)`` lists them. The same input gives the same result unless that
    time runs out.
    Raises EngineBuildError for a network without such layers, one that cannot run, or when no layer fits the budget.
    """
    prepared = fold_bias(plain(fold_batch_norm(at_least(model, _OPSET))))
    layers = weighted_layers(prepared)
    if not layers:
        raise EngineBuildError("nothing to quantise", hint="the network has no convolution with constant weights")
    feeds = Feeds(prepared, spec, frames)
    limits = thresholds(prepared, [node.input[0] for node in layers], feeds, method, progress)
    names = [node.name for node in layers]
    everything = quantise(prepared, names, limits, per_channel=per_channel)
    search = _Search(prepared, everything, names, spec, feeds, search_s, progress)
    kept = search.worst_layers(budget_db) if search_s > 0 else {}
    if len(kept) == len(names):
        raise EngineBuildError(
            f"no layer of {spec.name} can be int8 within {budget_db:g} dB",
            hint="calibrate with more pictures or another method, lower the budget, or use fp16",
        )
    for name, reason in kept.items():
        _LOG.info("%s stays in float32: %s", name, reason)
    result = everything
    if kept:
        result = quantise(prepared, [n for n in names if n not in kept], limits, per_channel=per_channel)
    write_kept(result, kept)
    onnx.checker.check_model(result)
    changed = spec.model_copy(update={"precision": "int8", "origin": spec.origin.model_copy(update={"sha256": None})})
    return result, ModelSpec.model_validate(changed.model_dump())


class _Search:
    """Looks for the fewest layers that must stay in float32. What is cheap and tells much comes first."""

    def __init__(
        self,
        prepared: onnx.ModelProto,
        everything: onnx.ModelProto,
        names: Sequence[str],
        spec: ModelSpec,
        feeds: Feeds,
        seconds: float,
        progress: Progress,
    ) -> None:
        self._networks = (prepared, everything)
        self._names, self._spec, self._feeds, self._progress = names, spec, feeds, progress
        self._seconds, self._start = seconds, time.monotonic()

    def worst_layers(self, budget_db: float) -> dict[str, str]:
        """Return the layers to leave in float32 for the budget, worst first, each with its own loss as the reason."""
        together = self._board(_SEARCH_FRAMES)
        quality = together.quality_db(self._names)
        _LOG.info("all %d layers in int8: %.1f dB", len(self._names), quality)
        if quality >= budget_db:
            return {}
        left_db = self._measured(self._board(_SENSITIVITY_FRAMES))
        order = sorted(self._names, key=lambda name: left_db[name])
        low, high = 0, len(order)  # low: known as too few, high: enough
        found = False
        while high - low > max(1, high // _CLOSE_ENOUGH) and not (found and self._share() >= 1):
            # Few layers do most of the harm: double their number until it is enough, then bisect.
            middle = (low + high) // 2 if found else min(len(order) - 1, max(1, 2 * low, len(order) // 32))
            self._progress("searching, seconds", *self._time())
            quality = together.quality_db(order[middle:])
            _LOG.info("%d of %d layers in float32: %.1f dB", middle, len(order), quality)
            found |= quality >= budget_db
            low, high = (low, middle) if quality >= budget_db else (middle, high)
        self._progress("searching, seconds", round(self._seconds), round(self._seconds))
        return {name: f"alone in int8 it leaves {left_db[name]:.1f} dB" for name in order[:high]}

    def _measured(self, board: Switchboard) -> dict[str, float]:
        """Return what each layer alone in int8 leaves of the outputs, in dB.

        A network of many layers is asked in groups of neighbours first, and then one by one, those of the worst groups
        first, as long as half of the time is left; the others count as their group.
        """
        size = 1 if len(self._names) <= _SINGLE_LAYERS else _GROUP
        groups = [self._names[i : i + size] for i in range(0, len(self._names), size)]
        closer = 0 if size == 1 else len(self._names)  # layers to be asked one by one after that
        found: dict[str, float] = {}
        for i, group in enumerate(groups):
            self._progress("measuring layers", i, len(groups) + closer)
            found.update(dict.fromkeys(group, board.quality_db(group)))
        worst = sorted(groups, key=lambda group: found[group[0]]) if size > 1 else []
        for i, name in enumerate(name for group in worst for name in group):
            if self._share() > 0.5:
                break
            self._progress("measuring layers", len(groups) + i, len(groups) + closer)
            found[name] = board.quality_db([name])
        self._progress("measuring layers", len(groups) + closer, len(groups) + closer)
        return found

    def _board(self, frames: int) -> Switchboard:
        return Switchboard(*self._networks, self._names, self._spec, _spread(self._feeds, frames))

    def _share(self) -> float:
        """Return how much of the time is gone."""
        return (time.monotonic() - self._start) / self._seconds

    def _time(self) -> tuple[int, int]:
        return min(round(time.monotonic() - self._start), round(self._seconds)), round(self._seconds)


def _spread(feeds: Feeds, count: int) -> list[dict[str, NDArray[np.generic]]]:
    """Return at most ``count`` of the feeds, evenly spread."""
    return [feeds[int(i)] for i in np.linspace(0, len(feeds) - 1, min(count, len(feeds)))]
