"""Whether a conversion finds the same people, with their keypoints in the same places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.parity_report import PeopleParity
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.decode.detection import BoxDecoder, DetectionParams
from trt_pose_app.estimators import build_keypoint_decoder, build_paf_decoder
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec

Outputs = Mapping[str, NDArray[Any]]
People = NDArray[np.float64]  # (N, K, 2) px of the network's input, NaN where missing; a box is two points
Reader = Callable[[Outputs, Geometry], People]

# Two people are the same if their keypoints are, on average, nearer than this share of the person's larger side.
_PARTNER = 0.15


class PeopleCount:
    """Counts people and sums up shifts, frame by frame."""

    def __init__(self, source: Reader, result: Reader) -> None:
        self._readers = (source, result)
        self._people = [0, 0]
        self._partners = 0
        self._shifts: list[NDArray[np.float64]] = [np.zeros(0)]

    def add(self, wanted: Outputs, given: Outputs, geometry: Geometry) -> None:
        """Read one frame's outputs of both sides and pair the people, those of the source in their order."""
        before, after = (read(outputs, geometry) for read, outputs in zip(self._readers, (wanted, given)))
        self._people[0] += len(before)
        self._people[1] += len(after)
        if not len(before) or not len(after):
            return
        free = np.ones(len(after), bool)
        for person in before:
            shifts = np.linalg.norm(after - person, axis=-1)
            distance = _mean(shifts) / max(_side(person), 1.0)
            nearest = int(np.where(free, distance, np.inf).argmin())
            if free[nearest] and distance[nearest] <= _PARTNER:
                free[nearest] = False
                self._partners += 1
                self._shifts.append(shifts[nearest][np.isfinite(shifts[nearest])])

    def report(self) -> PeopleParity:
        """Return what was found so far."""
        shifts = np.concatenate(self._shifts)
        total = sum(self._people)
        return PeopleParity(
            source=self._people[0],
            result=self._people[1],
            found=2 * self._partners / total if total else 1.0,
            shift_px=float(shifts.mean()) if len(shifts) else 0.0,
            shift_p95_px=float(np.quantile(shifts, 0.95)) if len(shifts) else 0.0,
        )


def people_reader(spec: ModelSpec) -> Reader | None:
    """Return what reads people out of the outputs by role, with the spec's own thresholds; None for unknown kinds."""
    if spec.kind in ("paf", "paf_fused"):
        paf = build_paf_decoder(spec, ModelConfig())
        return lambda outputs, geometry: geometry.to_input(paf.decode(outputs, [geometry])[0].xy)
    if spec.kind in ("simcc", "heatmap"):
        keypoints = build_keypoint_decoder(spec)
        return lambda outputs, geometry: keypoints.decode(outputs).xy.astype(np.float64)
    if spec.detector is not None:
        boxes = BoxDecoder(DetectionParams(**spec.detector.model_dump()))
        return lambda outputs, geometry: geometry.to_input(boxes.decode(outputs, geometry).xyxy.reshape(-1, 2, 2))
    return None


def _mean(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over each row's numbers, infinity for a row without any."""
    known = np.isfinite(shifts)
    total = np.where(known, shifts, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.inf)


def _side(person: NDArray[np.float64]) -> float:
    seen = person[np.isfinite(person).all(axis=1)]
    return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0
