"""A little data set of drawn stick people, and the recipe of a run that takes a second a step at most."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trt_pose_app.skeleton import COCO17
from trt_pose_app.training.recipe import Recipe

N_PHOTOS = 6


@pytest.fixture
def stick_people(tmp_path: Path) -> Path:
    """A folder with ``photos/`` and ``people.json``: one person on each of six photos of 80x60 px."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    images, notes = [], []
    for number in range(N_PHOTOS):
        photo = rng.integers(0, 256, (60, 80, 3), np.uint8)
        xy = rng.uniform((10, 5), (70, 55), (17, 2)).round(1)
        for a, b in COCO17.limbs:
            cv2.line(photo, xy[a].astype(int).tolist(), xy[b].astype(int).tolist(), (0, 0, 255), 2)
        cv2.imwrite(str(tmp_path / f"photos/{number}.png"), photo)
        images.append({"id": number, "file_name": f"{number}.png", "width": 80, "height": 60})
        notes.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [*xy.min(axis=0), *(xy.max(axis=0) - xy.min(axis=0))],
                "area": 1000.0,
                "keypoints": [value for point in xy for value in (*point.tolist(), 2)],
            }
        )
    category = {
        "id": 1,
        "name": "person",
        "keypoints": list(COCO17.parts),
        "skeleton": [[a + 1, b + 1] for a, b in COCO17.limbs],
    }
    content = {"images": images, "annotations": notes, "categories": [category]}
    (tmp_path / "people.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def tiny_recipe(stick_people: Path) -> Recipe:
    """Four steps of two pictures of 64 px."""
    return Recipe.model_validate(
        {
            "name": "tiny",
            "checkpoint_steps": 2,
            "validate_steps": 4,
            "data": {
                "images": stick_people / "photos",
                "annotations": stick_people / "people.json",
                "skeleton": "coco18",
                "workers": 0,
            },
            "network": {"trunk_channels": 8, "width": 8},
            "schedule": {"steps": 4, "batch": 2, "sizes": [[0.0, 64]], "warm_up_steps": 1, "threads": 1},
        }
    )
