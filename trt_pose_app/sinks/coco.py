"""COCO keypoint results: one JSON list over all pictures, as pycocotools reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trt_pose_app.errors import ConfigError, SinkError
from trt_pose_app.skeleton import COCO17, Skeleton
from trt_pose_app.types import Frame, Poses, Timings


class CocoSink:
    """Collects results and writes them, atomically, on ``close``.

    ``image_ids`` maps file names to ids (``read_image_ids``). Without it a picture's numeric stem is its id, and any
    other picture or frame has its number in the run, from 1. Bodies are written in COCO's own order of 17 parts,
    other skeletons as they are. Each result also has ``file_name``.
    """

    def __init__(self, path: Path, skeleton: Skeleton, image_ids: Mapping[str, int] | None = None) -> None:
        self._path = path
        self._target = COCO17 if (skeleton.mapping_to(COCO17) >= 0).all() else skeleton
        self._image_ids = image_ids
        self._results: list[dict[str, Any]] = []
        self._given: dict[int, Path] = {}
        self._closed = False

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        """Keep one picture's people. Raises SinkError for a picture that has no id."""
        path = Path(frame.source)
        image_id = self._image_id(frame, path)
        for result in poses.to_skeleton(self._target).to_coco(image_id):
            self._results.append({**result, "file_name": path.name})

    def close(self) -> None:
        """Write the file. Idempotent. Raises SinkError."""
        if self._closed:
            return
        self._closed = True
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            part.write_text(json.dumps(self._results), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise SinkError(f"cannot write {self._path}: {error.strerror}", hint="check path and disk") from error

    def _image_id(self, frame: Frame, path: Path) -> int:
        if self._image_ids is not None:
            if path.name not in self._image_ids:
                raise SinkError(
                    f"the annotation file gives {path.name} no image id",
                    hint="run the pictures it lists, or leave out --annotations",
                )
            return self._image_ids[path.name]
        digits = path.stem.rpartition("_")[2]
        numbered = frame.pts_s is None and digits.isdecimal()
        image_id = int(digits) if numbered else frame.index + 1
        if image_id in self._given:
            raise SinkError(
                f"{path.name} and {self._given[image_id].name} would both have the image id {image_id}",
                hint="pass --annotations COCO.json, or write --format jsonl",
            )
        self._given[image_id] = path
        return image_id


def read_image_ids(path: Path) -> dict[str, int]:
    """Return file name -> id of a COCO annotation file. Raises ConfigError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {Path(image["file_name"]).name: int(image["id"]) for image in document["images"]}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check --annotations") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no COCO annotation file: {error!r}", hint='it needs "images" with "id" and "file_name"'
        ) from error
