"""COCO keypoint results: read, checked, and laid out in arrays per photo."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.coco_json import fault_of, load_coco_json
from trt_pose_app.errors import ConfigError, SinkError
from trt_pose_app.evaluation.truth import Truth


@dataclass(frozen=True, slots=True, eq=False)
class FoundPeople:
    """The N people found on one photo, best first: ``xy`` (N, K, 2) pixels, NaN where no point was given; ``score``
    (N,)."""

    xy: NDArray[np.float64]
    score: NDArray[np.float64]


def read_results(path: Path, truth: Truth) -> list[dict[str, Any]]:
    """Read a COCO results file for ``truth``.

    Results of photos that a limited ``truth`` leaves out are left out too. Raises ConfigError for another skeleton,
    another category or other photos.
    """
    try:
        results: list[dict[str, Any]] = [
            {
                "image_id": int(result["image_id"]),
                "category_id": int(result["category_id"]),
                "keypoints": [float(value) for value in result["keypoints"]],
                "score": float(result["score"]),
            }
            for result in load_coco_json(path, list)
        ]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check the path of the results") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no COCO keypoint results file: {fault_of(error)}",
            hint='it is a list of {"image_id", "category_id", "keypoints", "score"}, see `trt-pose predict -o x.json`',
        ) from error
    k_parts = len(truth.skeleton)
    for result in results:
        n_numbers = len(result["keypoints"])
        if n_numbers != 3 * k_parts:
            raise ConfigError(
                f"{path} has results of {n_numbers / 3:g} keypoints, {truth.path.name} has {k_parts}: "
                "they are of another skeleton",
                hint=f"the parts wanted are {', '.join(truth.skeleton.parts)}",
            )
        if not np.isfinite([*result["keypoints"], result["score"]]).all():
            raise ConfigError(f"{path} has numbers that are not finite", hint="write the results again")
    categories = {result["category_id"] for result in results}
    if categories - {truth.category_id}:
        raise ConfigError(
            f"{path} has results of the categories {sorted(categories)}, not only {truth.category_id}",
            hint="choose --category, or give the results the category_id of the annotations",
        )
    known = {photo.id for photo in truth.photos}
    kept = [result for result in results if result["image_id"] in known]
    if results and not kept:
        raise ConfigError(
            f"no result of {path} is of a photo in {truth.path}",
            hint="they belong to other data; `trt-pose predict --annotations` gives the photos the right ids",
        )
    return kept


def write_results(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write a COCO results file. Raises SinkError."""
    write_text(path, json.dumps(results))


def write_text(path: Path, text: str) -> None:
    """Write a file at once or not at all. Raises SinkError."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SinkError(f"cannot write {path}: {error.strerror}", hint="check path and disk") from error


def people_by_photo(results: Sequence[Mapping[str, Any]], truth: Truth) -> list[FoundPeople]:
    """Return what was found on each photo of ``truth``, in its order."""
    by_image: dict[int, list[Mapping[str, Any]]] = {photo.id: [] for photo in truth.photos}
    for result in results:
        by_image[result["image_id"]].append(result)
    k_parts = len(truth.skeleton)
    return [_found(by_image[photo.id], k_parts) for photo in truth.photos]


def _found(results: list[Mapping[str, Any]], k_parts: int) -> FoundPeople:
    ranked = sorted(results, key=lambda result: -result["score"])
    triples = np.array([result["keypoints"] for result in ranked], np.float64).reshape(-1, k_parts, 3)
    # A point nobody gave is written 0, 0, 0.
    xy = np.where((triples == 0).all(axis=2, keepdims=True), np.nan, triples[..., :2])
    return FoundPeople(xy, np.array([result["score"] for result in ranked], np.float64))


def at_least(results: Sequence[Mapping[str, Any]], score: float) -> list[dict[str, Any]]:
    """Return the results of people who reach ``score``, which the decoder holds in float32."""
    return [dict(result) for result in results if result["score"] >= float(np.float32(score))]
