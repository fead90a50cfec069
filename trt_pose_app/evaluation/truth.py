"""The annotated people that results are held against: a COCO keypoint file, checked and laid out in arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.coco_json import fault_of, load_coco_json
from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import SKELETONS, Skeleton, flip_by_name


@dataclass(frozen=True, slots=True, eq=False)
class TruthPhoto:
    """One photo and its N annotated people.

    ``xy`` (N, K, 2) float64 pixels; ``visible`` (N, K): 2 sure, 1 labelled but hidden or doubtful, 0 unknown;
    ``area`` (N,) square pixels; ``box`` (N, 4) x0, y0, x1, y1; ``crowd`` (N,) a crowd, which any number of found
    people may match; ``ignored`` (N,) a crowd or nothing labelled: never missed; ``main`` (N,) annotated by hand rather
    than by a teacher network.
    """

    id: int
    file_name: str
    xy: NDArray[np.float64]
    visible: NDArray[np.int64]
    area: NDArray[np.float64]
    box: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    main: NDArray[np.bool_]

    @property
    def empty(self) -> bool:
        """Whether there is nobody in the photo, not even a crowd."""
        return not len(self.xy)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """All photos of an annotation file, in the order of their ids, and one category's people on them.

    ``sigmas_known`` tells whether OKS uses published constants; otherwise each part has 1 / K, a convention.
    ``has_sources`` tells whether the file says who annotated each person (its notes carry ``source``).
    """

    path: Path
    photos: tuple[TruthPhoto, ...]
    skeleton: Skeleton
    sigmas: NDArray[np.float64]
    sigmas_known: bool
    category_id: int
    has_sources: bool

    def to_coco(self) -> dict[str, Any]:
        """Return the people as a COCO data set, its annotations numbered from 1: pycocotools takes id 0 for nobody."""
        annotations: list[dict[str, Any]] = []
        for photo in self.photos:
            for i in range(len(photo.xy)):
                x0, y0, x1, y1 = photo.box[i].tolist()
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": photo.id,
                        "category_id": self.category_id,
                        "keypoints": np.column_stack([photo.xy[i], photo.visible[i]]).ravel().tolist(),
                        "num_keypoints": 0 if photo.ignored[i] else int((photo.visible[i] > 0).sum()),
                        "area": float(photo.area[i]),
                        "bbox": [x0, y0, x1 - x0, y1 - y0],
                        "iscrowd": int(photo.crowd[i]),
                    }
                )
        return {
            "images": [{"id": photo.id, "file_name": photo.file_name} for photo in self.photos],
            "annotations": annotations,
            "categories": [{"id": self.category_id, "name": self.skeleton.name}],
        }


def read_truth(path: Path, *, category: str | None = None, limit: int | None = None) -> Truth:
    """Read a COCO keypoint annotation file; ``limit`` keeps the first photos of the file only.

    ``category`` may be left out where only one has keypoints. Raises ConfigError for a file that is none, has no such
    category, no photos or no labelled person, or people whose keypoints do not fit.
    """
    try:
        content = load_coco_json(path, dict)
        images, notes, categories = content["images"], content["annotations"], content["categories"]
        entry = _category(categories, category, path)
        photos = _photos(images[:limit], notes, entry, path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check the path of the annotations") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no COCO keypoint annotation file: {fault_of(error)}",
            hint='it needs "images", "annotations" and "categories" whose "keypoints" name the parts',
        ) from error
    if not any((~photo.ignored).any() for photo in photos):
        raise ConfigError(
            f"{path} labels no keypoint of any {entry['name']} on its {len(photos)} photos",
            hint="COCO's test files come without annotations: use the val file",
        )
    skeleton = _skeleton_of(entry)
    known = skeleton.sigmas is not None
    sigmas = np.array(skeleton.sigmas) if known else np.full(len(skeleton), 1 / len(skeleton))
    sources = any("source" in note for note in notes)
    return Truth(path, tuple(photos), skeleton, sigmas, known, int(entry["id"]), sources)


def _category(categories: Sequence[Mapping[str, Any]], name: str | None, path: Path) -> Mapping[str, Any]:
    able = {str(entry["name"]): entry for entry in categories if entry.get("keypoints")}
    if not able:
        raise ConfigError(
            f"no category of {path} has keypoints", hint="take person_keypoints_*.json, not instances_*.json"
        )
    if name is None and len(able) == 1:
        return next(iter(able.values()))
    if name is None or name not in able:
        what = "has several categories" if name is None else f"has no keypoints of a category {name!r}"
        raise ConfigError(f"{path} {what}", hint=f"choose --category {' or '.join(able)}")
    return able[name]


def _skeleton_of(entry: Mapping[str, Any]) -> Skeleton:
    parts = tuple(str(part) for part in entry["keypoints"])
    if built_in := next((s for s in SKELETONS.values() if s.parts == parts), None):
        return built_in
    limbs = tuple((int(a) - 1, int(b) - 1) for a, b in entry.get("skeleton", ()))
    return Skeleton(str(entry["name"]), parts, limbs, flip_by_name(parts))


def _photos(
    images: Sequence[Mapping[str, Any]], notes: Sequence[Mapping[str, Any]], entry: Mapping[str, Any], path: Path
) -> list[TruthPhoto]:
    by_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for note in notes:
        if note["category_id"] == entry["id"]:
            by_image[int(note["image_id"])].append(note)
    ids = [int(image["id"]) for image in images]
    if not ids or len(set(ids)) < len(ids):
        fault = "lists no images" if not ids else "gives two images the same id"
        raise ConfigError(f"{path} {fault}", hint="correct the annotation file")
    k_parts = len(entry["keypoints"])
    return [
        _photo(image, by_image[int(image["id"])], k_parts, path) for image in sorted(images, key=lambda i: int(i["id"]))
    ]


def _photo(image: Mapping[str, Any], notes: Sequence[Mapping[str, Any]], k_parts: int, path: Path) -> TruthPhoto:
    triples = np.zeros((len(notes), k_parts, 3))
    box = np.zeros((len(notes), 4))
    for i, note in enumerate(notes):
        flat = np.asarray(note.get("keypoints", ()), np.float64)
        if flat.size not in (0, 3 * k_parts) or not np.isfinite(flat).all():
            raise ConfigError(
                f"{path}: annotation {note.get('id')} has {flat.size} keypoint numbers, not three finite ones for each "
                f"of {k_parts} parts",
                hint="correct the annotation file",
            )
        if flat.size:
            triples[i] = flat.reshape(k_parts, 3)
        x, y, width, height = note["bbox"]
        box[i] = x, y, x + width, y + height
    visible = triples[..., 2].astype(np.int64)
    area = np.array([note.get("area", note["bbox"][2] * note["bbox"][3]) for note in notes], np.float64)
    crowd = np.array([bool(note.get("iscrowd", 0)) for note in notes], np.bool_)
    counted = (visible > 0).sum(axis=1).tolist()
    unlabelled = np.array([not note.get("num_keypoints", n) or not n for note, n in zip(notes, counted)], np.bool_)
    return TruthPhoto(
        id=int(image["id"]),
        file_name=str(image["file_name"]),
        xy=triples[..., :2],
        visible=visible,
        area=area,
        box=box,
        crowd=crowd,
        ignored=crowd | unlabelled,
        main=np.array([note.get("source") != "teacher" for note in notes], np.bool_),
    )
