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
from trt_pose_app.estimators.models import TOP_DOWN_KINDS
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import DetectorSpec, ModelSpec

Outputs = Mapping[str, NDArray[Any]]
People = NDArray[np.float64]  # (N, K, 2) px of the network's input, NaN where missing; a box is two points
Reader = Callable[[Outputs, Outputs, Geometry], tuple[People, People]]

# Two people are the same if their keypoints are, on average, nearer than this share of the person's larger side.
_PARTNER = 0.15
_SURE = 0.3


class PeopleCount:
    """Counts people and sums up shifts, frame by frame, of networks that ``has_people``."""

    def __init__(self, source: ModelSpec, result: ModelSpec) -> None:
        self._top_down = source.kind in TOP_DOWN_KINDS
        self._read = _person_in_crop(source) if self._top_down else _people_in_frame(source, result)
        self._crop = max(source.input.width, source.input.height) / source.input.crop_padding
        self._people = [0, 0]
        self._partners = 0
        self._shifts: list[NDArray[np.float64]] = [np.zeros(0)]

    def add(self, wanted: Outputs, given: Outputs, geometry: Geometry) -> None:
        """Read one frame's outputs of both sides and pair the people, those of the source in their order."""
        before, after = self._read(wanted, given, geometry)
        self._people[0] += len(before)
        self._people[1] += len(after)
        if not len(before) or not len(after):
            return
        free = np.ones(len(after), bool)
        for person in before:
            shifts = np.linalg.norm(after - person, axis=-1)
            distance = _mean(shifts) / (self._crop if self._top_down else max(_side(person), 1.0))
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


def has_people(spec: ModelSpec) -> bool:
    """Return whether a decoder here reads people or boxes out of the network's outputs."""
    return spec.kind in ("paf", "paf_fused", *TOP_DOWN_KINDS) or spec.detector is not None


def in_sight(spec: ModelSpec) -> float:
    """Return the score from which a keypoint is compared.

    A top-down network says something of every keypoint. Below 0.3, the limit from which mmpose draws, its maps have
    many low peaks of which the least rounding makes another the highest.
    """
    return max(spec.decode.peak_threshold, _SURE) if spec.kind in TOP_DOWN_KINDS else spec.decode.peak_threshold


def _people_in_frame(source: ModelSpec, result: ModelSpec) -> Reader:
    """Return what reads everybody on either side, with each spec's own thresholds."""
    readers = [_boxes(spec.detector) if spec.detector is not None else _poses(spec) for spec in (source, result)]
    return lambda wanted, given, geometry: (readers[0](wanted, geometry), readers[1](given, geometry))


def _poses(spec: ModelSpec) -> Callable[[Outputs, Geometry], People]:
    paf = build_paf_decoder(spec, ModelConfig())
    return lambda outputs, geometry: geometry.to_input(paf.decode(outputs, [geometry])[0].xy)


def _boxes(spec: DetectorSpec) -> Callable[[Outputs, Geometry], People]:
    boxes = BoxDecoder(DetectionParams(**spec.model_dump()))
    return lambda outputs, geometry: geometry.to_input(boxes.decode(outputs, geometry).xyxy.reshape(-1, 2, 2))


def _person_in_crop(spec: ModelSpec) -> Reader:
    """Return what reads the keypoints that the source sees, on both sides."""
    decoder, threshold = build_keypoint_decoder(spec), in_sight(spec)

    def read(wanted: Outputs, given: Outputs, _: Geometry) -> tuple[People, People]:
        before, after = decoder.decode(wanted), decoder.decode(given)
        seen = before.score >= threshold
        people = seen.any(axis=1)
        xy = [np.where(seen[..., None], side.xy, np.nan)[people].astype(np.float64) for side in (before, after)]
        return xy[0], xy[1]

    return read


def _mean(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over each row's numbers, infinity for a row without any."""
    known = np.isfinite(shifts)
    total = np.where(known, shifts, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.inf)


def _side(person: NDArray[np.float64]) -> float:
    seen = person[np.isfinite(person).all(axis=1)]
    return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0
