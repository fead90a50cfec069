"""Annotated photos and results for tests: hand-made from standing figures, and random ones of every awkward kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.people import STANDING
from trt_pose_app.evaluation.truth import Truth, read_truth
from trt_pose_app.skeleton import COCO17

Note = dict[str, Any]
Result = dict[str, Any]


def figure(x: float = 100.0, y: float = 100.0, height_px: float = 100.0) -> np.ndarray:
    """A standing figure's keypoints (17, 2), its hips at (x, y)."""
    return STANDING.astype(float) * height_px / 500 + (x, y)


def note(image_id: int, xy: np.ndarray, visible: Any = 2, **changes: Any) -> Note:
    """An annotation; its area is half of its box's."""
    v = np.broadcast_to(np.asarray(visible), len(xy))
    low, size = xy.min(axis=0), np.ptp(xy, axis=0)
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": np.column_stack([xy, v]).ravel().tolist(),
        "bbox": [*low.tolist(), *size.tolist()],
        "area": float(size.prod() / 2),
        "iscrowd": 0,
        **changes,
    }


def result(image_id: int, xy: np.ndarray, score: float = 0.9) -> Result:
    """A COCO result; NaN points are written 0, 0, 0."""
    triples = np.column_stack([np.nan_to_num(xy), ~np.isnan(xy).any(axis=1)])
    return {"image_id": image_id, "category_id": 1, "keypoints": triples.ravel().tolist(), "score": score}


def document(image_ids: Sequence[int], notes: Sequence[Note]) -> dict[str, Any]:
    return {
        "images": [{"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in image_ids],
        "annotations": [{"id": index, **n} for index, n in enumerate(notes)],  # ids from 0, as some tools write them
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.parts), "skeleton": []}],
    }


def truth_of(folder: Path, image_ids: Sequence[int], notes: Sequence[Note], **options: Any) -> Truth:
    """Write an annotation file into ``folder`` and read it."""
    path = folder / "truth.json"
    path.write_text(json.dumps(document(image_ids, notes)))
    return read_truth(path, **options)


def random_scene(seed: int, n_photos: int = 25) -> tuple[list[int], list[Note], list[Result]]:
    """Photos with nobody, with crowds and unlabelled people, and results that are near, doubled, invented or lost."""
    rng = np.random.default_rng(seed)
    image_ids = sorted(int(i) for i in rng.choice(10_000, n_photos, replace=False) + 1)
    notes, results = [], []
    for image_id in image_ids:
        for _ in range(int(rng.integers(0, 5))):
            height = float(rng.uniform(25, 250))
            xy = figure(*rng.uniform(50, 600, 2), height)
            visible = rng.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6]) * (rng.random() > 0.1)
            notes.append(note(image_id, xy, visible, iscrowd=int(rng.random() < 0.1)))
            for _ in range(int(rng.choice([0, 1, 2], p=[0.2, 0.7, 0.1]))):
                moved = xy + rng.normal(0, height * rng.choice([0.005, 0.02, 0.05]), xy.shape)
                moved[rng.random(17) < 0.1] = np.nan
                results.append(result(image_id, moved, round(float(rng.random()), 2)))  # rounded: scores tie
        if rng.random() < 0.3:
            results.append(result(image_id, figure(*rng.uniform(50, 600, 2)), round(float(rng.random()), 2)))
    return image_ids, notes, results
