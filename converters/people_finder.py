"""Crops of the people in pictures that nobody has annotated, for top-down networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.person_cutter import PersonCutter, Picture
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.estimators import build_detector, load
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import installed, packaged_directory

Finder = Callable[[Picture], NDArray[np.floating]]

_EMBEDDED = "pose-nano"
_MARGIN = 0.1  # of a side: keypoints end at ankles, wrists and eyes, a person does not


def crops_of_people(
    frames: Sequence[Picture], spec: ModelSpec, *, search: Sequence[Path] = (), threads: int = 0
) -> tuple[list[Picture], str]:
    """Return at most as many crops of people as there are ``frames``, evenly spread, and a sentence on how.

    They are found by the first detector in the directories ``search``, else by the embedded pose-nano. Where nobody is
    found, each whole picture counts as a crop, and the sentence says so. Raises ModelError, EngineError.
    """
    cut = PersonCutter(spec)
    crops: list[Picture] = []
    with _finder(search, ModelConfig(backend="cpu", threads=threads)) as (name, boxes_in):
        for frame in frames:
            crops += cut(frame, boxes_in(frame))
    if not crops:
        return list(frames), f"{name} finds nobody: each of {len(frames)} whole pictures counts as one person"
    chosen = np.linspace(0, len(crops) - 1, min(len(crops), len(frames))).round().astype(int)
    return [crops[i] for i in chosen], f"{len(chosen)} people in {len(frames)} pictures, found by {name}"


@contextmanager
def _finder(search: Sequence[Path], config: ModelConfig) -> Iterator[tuple[str, Finder]]:
    """Give the name of what finds people, and what returns their boxes (N, 4) in a picture."""
    bundles = (Bundle(m.spec, m.path) for m in installed(search) if m.spec is not None and m.path.suffix == ".onnx")
    bundle = next((bundle for bundle in bundles if bundle.spec.kind == "detector"), None)
    if bundle is not None:
        with build_detector(bundle, config) as detector:
            yield bundle.spec.name, lambda picture: detector(picture).xyxy
    else:
        with load(_EMBEDDED, config, search=[packaged_directory()]) as bottom_up:
            yield _EMBEDDED, lambda picture: _grown(bottom_up(picture).box)


def _grown(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    margin = _MARGIN * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
