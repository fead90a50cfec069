"""RecordedPoses: what some estimator found on the training photos, as starting points for synthetic errors."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from trt_pose_app.decode.overlap import iou
from trt_pose_app.errors import ConfigError
from trt_pose_app.types import boxes_around

_HINT = "write it with `trt-pose predict DIR --annotations people.json -o results.json`"


class RecordedPoses:
    """COCO keypoint results by photo: ``poses[file name]`` is (P, K, 2) pixels, NaN where no point was given."""

    def __init__(self, poses: dict[str, NDArray[np.float32]], k_parts: int) -> None:
        self._poses, self._nobody = poses, np.full((k_parts, 2), np.nan, np.float32)

    @classmethod
    def read(cls, results: Path, annotations: Path, k_parts: int) -> Self:
        """Read a results file; ``annotations`` tells the photos' names. Raises ConfigError for another skeleton."""
        try:
            names = {image["id"]: str(image["file_name"]) for image in _json(annotations)["images"]}
            found = defaultdict(list)
            for result in _json(results):
                if len(result["keypoints"]) != 3 * k_parts:
                    raise ConfigError(
                        f"{results} has results of {len(result['keypoints']) / 3:g} keypoints, not {k_parts}",
                        hint="take results of the skeleton that is learnt (data.skeleton)",
                    )
                triples = np.array(result["keypoints"], np.float32).reshape(-1, 3)
                # A point nobody gave is written 0, 0, 0.
                triples[(triples == 0).all(axis=1)] = np.nan
                if result["image_id"] in names and np.isfinite(triples).any():
                    found[names[result["image_id"]]].append(triples[:, :2])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{results} is no COCO keypoint results file: {error!r}", hint=_HINT) from error
        return cls({name: np.stack(people) for name, people in found.items()}, k_parts)

    def of(self, file_name: str, box: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the recorded pose (K, 2) whose extent overlaps ``box`` (x0, y0, x1, y1) most; NaN without any."""
        people = self._poses.get(file_name)
        if people is None:
            return self._nobody
        overlap = iou(box, boxes_around(people))
        best = int(overlap.argmax())
        return people[best] if overlap[best] > 0 else self._nobody


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check the path of the results") from error
