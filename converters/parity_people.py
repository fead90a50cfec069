"""Whether a conversion finds the same people, with their keypoints in the same places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.parity_report import PeopleParity
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import build_paf_decoder
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec

Outputs = Mapping[str, NDArray[Any]]
Person = NDArray[np.float64]  # (K, 2) px of the network's input, NaN where missing

# Two people are the same if their keypoints are nearer than this share of the person's larger side.
_PARTNER = 0.15


def can_decode(spec: ModelSpec) -> bool:
    """Return whether ``PeopleCount`` can read this kind of network."""
    return spec.kind in ("paf", "simcc", "heatmap")


class PeopleCount:
    """Counts people and sums up shifts, frame by frame."""

    def __init__(self, source: ModelSpec, result: ModelSpec) -> None:
        self._read = [_reader(spec) for spec in (source, result)]
        self._people = [0, 0]
        self._partners = 0
        self._shifts: list[NDArray[np.float64]] = []

    def add(self, wanted: Outputs, given: Outputs, geometry: Geometry) -> None:
        before, after = (read(outputs, geometry) for read, outputs in zip(self._read, (wanted, given)))
        self._people[0] += len(before)
        self._people[1] += len(after)
        free = list(after)
        for person in before:
            distances = [_distance(person, other) for other in free]
            if distances and min(distances) <= _PARTNER:
                other = free.pop(int(np.argmin(distances)))
                self._partners += 1
                shift = np.linalg.norm(person - other, axis=1)
                self._shifts.append(shift[np.isfinite(shift)])

    def report(self) -> PeopleParity:
        shifts = np.concatenate(self._shifts) if self._shifts else np.zeros(1)
        total = sum(self._people)
        return PeopleParity(
            source=self._people[0],
            result=self._people[1],
            found=2 * self._partners / total if total else 1.0,
            shift_px=float(shifts.mean()),
            shift_p95_px=float(np.quantile(shifts, 0.95)),
        )


def _reader(spec: ModelSpec) -> Callable[[Outputs, Geometry], list[Person]]:
    if spec.kind == "paf":
        decoder = build_paf_decoder(spec, ModelConfig())

        def from_paf(outputs: Outputs, geometry: Geometry) -> list[Person]:
            return [geometry.to_input(xy) for xy in decoder.decode(outputs, [geometry])[0].xy]

        return from_paf
    if spec.simcc is not None:
        ratio = spec.simcc.split_ratio

        def from_simcc(outputs: Outputs, _: Geometry) -> list[Person]:
            return [np.stack([outputs[axis][0].argmax(axis=-1) / ratio for axis in ("x", "y")], axis=-1)]

        return from_simcc
    if spec.heatmap is not None:
        stride = spec.heatmap.stride

        def from_heatmap(outputs: Outputs, _: Geometry) -> list[Person]:
            maps = outputs["heatmap"][0]
            row, column = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[2])
            return [np.stack([column, row], axis=-1) * float(stride)]

        return from_heatmap
    raise ConfigError(f"people cannot be read from a {spec.kind} network", hint="ask can_decode first")


def _distance(person: Person, other: Person) -> float:
    """Return the mean distance of the keypoints that both have, relative to the person's larger side."""
    if person.shape != other.shape:
        return np.inf
    distance = np.linalg.norm(person - other, axis=1)
    if np.isnan(distance).all():
        return np.inf
    side = float(max(np.nanmax(person, axis=0) - np.nanmin(person, axis=0)))
    return float(np.nanmean(distance)) / max(side, 1.0)
