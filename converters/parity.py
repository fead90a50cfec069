"""Proof that a conversion computes what its source computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.budget import Budget, budget_for
from converters.parity_ap import AnnotatedPhotos
from converters.parity_people import PeopleCount, has_people, in_sight
from converters.parity_report import OutputParity, ParityReport
from converters.parity_side import Side
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.spec import ModelSpec

Picture = NDArray[np.uint8]
Outputs = Mapping[str, NDArray[Any]]

_AS_HIGH = 0.9
_BINS = ("x", "y")  # outputs of a simcc network: a peak in each row, instead of in each map


def compare(
    source: Bundle, result: Bundle, frames: Sequence[Picture], *, budget: Budget | None = None, threads: int = 0
) -> ParityReport:
    """Return how far ``result`` is from ``source`` over ``frames`` (H, W, 3) BGR uint8, on ONNX Runtime on the CPU.

    Each side prepares the frames as its own spec says, at the result's input size. ``budget`` is by default that of
    the result's precision. Raises EngineError if a network does not load or run, ConfigError without frames.
    """
    with ExitStack() as stack:
        sides = [
            Side(b.label, b.spec, stack.enter_context(OnnxRuntimeEngine(b.path, backend="cpu", threads=threads)))
            for b in (source, result)
        ]
        return compare_sides(sides[0], sides[1], frames, budget=budget)


def compare_sides(
    source: Side,
    result: Side,
    frames: Sequence[Picture],
    *,
    budget: Budget | None = None,
    photos: AnnotatedPhotos | None = None,
) -> ParityReport:
    """Return what ``compare`` returns, for engines of any kind; with annotated ``photos`` also both sides' AP."""
    if not frames:
        raise ConfigError("there is no frame to compare with", hint="use --frames 1 or more")
    size = (result.spec.input.width, result.spec.input.height)
    runs = [_Run(side, size) for side in (source, result)]
    tallies: dict[str, _Tally] = {}
    # A network with fused peaks has room for fewer of them; in a crowd that is no error of the conversion.
    alike = source.spec.model_copy(update={"decode": result.spec.decode})
    countable = has_people(alike) and has_people(result.spec)
    people = PeopleCount(alike, result.spec) if countable else None
    for frame in frames:
        (wanted, geometry), (given, _) = (run(frame) for run in runs)
        for role in wanted.keys() & given.keys():
            tallies.setdefault(role, _Tally(role, source.spec)).add(wanted[role], given[role])
        if people is not None:
            people.add(wanted, given, geometry)
    return ParityReport(
        source=source.label,
        result=result.label,
        frames=len(frames),
        outputs=tuple(tallies[role].report() for role in source.spec.outputs if role in tallies),
        people=None if people is None else people.report(),
        budget=budget or budget_for(result.spec.precision, {}, kind=result.spec.kind),
        ap=None if photos is None else (photos.average_precision(source), photos.average_precision(result)),
    )


class _Run:
    def __init__(self, side: Side, size: tuple[int, int]) -> None:
        self._side = side
        self._preprocess = Preprocessor(side.spec.input, size)
        fixed = side.engine.inputs[side.spec.input.name].shape[0]
        self._batch = max(1, fixed)

    def __call__(self, frame: Picture) -> tuple[dict[str, NDArray[Any]], Geometry]:
        """Return the outputs by role, batch axis of 1, as float32 copies, and the frame's geometry."""
        tensor, geometry = self._preprocess(frame)
        name = self._side.spec.input.name
        outputs = self._side.engine.infer({name: np.repeat(tensor, self._batch, axis=0)})
        roles = self._side.spec.outputs.items()
        return {role: outputs[output][:1].astype(np.float32) for role, output in roles}, geometry


class _Tally:
    """The error of one output, frame by frame."""

    def __init__(self, role: str, spec: ModelSpec) -> None:
        self._role = role
        self._row_axes = 1 if spec.kind == "simcc" and role in _BINS else 2
        self._has_peaks = role in ("cmap", "heatmap") or self._row_axes == 1
        # A map of a part that nobody shows has its peak anywhere.
        self._sure = in_sight(spec)
        self._low, self._high, self._max, self._sum = np.inf, -np.inf, 0.0, 0.0
        self._values = self._not_finite = self._peaks = self._equal = 0

    def add(self, wanted: NDArray[Any], given: NDArray[Any]) -> None:
        if wanted.shape != given.shape:
            raise ConfigError(
                f"the output {self._role} is {given.shape} after the conversion and {wanted.shape} before",
                hint="the conversion is at fault; please report it",
            )
        self._not_finite += int((~np.isfinite(given)).sum())
        error = np.abs(np.nan_to_num(given).astype(np.float64) - wanted)
        self._low, self._high = min(self._low, float(wanted.min())), max(self._high, float(wanted.max()))
        self._max, self._sum = max(self._max, float(error.max())), self._sum + float(error.sum())
        self._values += error.size
        if self._has_peaks:
            before, after = (maps.reshape(-1, *maps.shape[-self._row_axes :]) for maps in (wanted, given))
            same = [_same_peak(*maps) for maps in zip(before, after) if maps[0].max() >= self._sure]
            self._peaks += len(same)
            self._equal += sum(same)

    def report(self) -> OutputParity:
        return OutputParity(
            role=self._role,
            range=self._high - self._low,
            max_error=self._max,
            mean_error=self._sum / self._values,
            argmax=self._equal / self._peaks if self._peaks else None,
            not_finite=self._not_finite,
        )


def _same_peak(before: NDArray[Any], after: NDArray[Any]) -> bool:
    """Return whether ``after`` is about as high as anywhere where ``before`` has its peak, give or take a cell.

    Two cells side by side, or two people in one map, may be equally high; the least rounding makes another the highest.
    """
    place = np.unravel_index(before.argmax(), before.shape)
    around = after[tuple(slice(max(0, at - 1), at + 2) for at in place)]
    return bool(around.max() >= _AS_HIGH * after.max())
