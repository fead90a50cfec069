"""COCO keypoint annotation -> photos, with every flaw of the data listed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.coco_json import fault_of, load_coco_json
from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import SKELETONS, Skeleton, flip_by_name
from trt_pose_app.training.outlines import Outline, outlines_of
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import DataRecipe

_NECK_OF = ("left_shoulder", "right_shoulder")


@dataclass(frozen=True, slots=True)
class KeypointData:
    """Photos in the order of their ids, the skeleton to learn, and what is wrong with the files, in words."""

    photos: tuple[Photo, ...]
    skeleton: Skeleton
    flaws: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The data set that every pass walks through, and further ones, each with its share of all photos shown."""

    main: KeypointData
    more: tuple[tuple[KeypointData, float], ...] = ()


def read_training_data(recipe: DataRecipe) -> TrainingData:
    """Read everything a recipe trains on. Raises ConfigError as ``read_coco`` does."""
    outlined = recipe.ignore_shape == "segmentation"
    main = read_coco(
        recipe.annotations, recipe.images, category=recipe.category, skeleton=recipe.skeleton, outlined=outlined
    )
    more = []
    for source in recipe.more:
        data = read_coco(
            source.annotations, source.images, category=recipe.category, skeleton=recipe.skeleton, outlined=outlined
        )
        if data.skeleton != main.skeleton:
            raise ConfigError(
                f"{source.annotations} has another skeleton than {recipe.annotations}",
                hint="choose one for both with data.skeleton",
            )
        more.append((_with_people(data) if source.people_only else data, source.share))
    return TrainingData(_with_people(main) if recipe.people_only else main, tuple(more))


def _with_people(data: KeypointData) -> KeypointData:
    return replace(data, photos=tuple(p for p in data.photos if len(p.xy) or len(p.ignore) or p.outlines))


def read_coco(
    annotations: Path, images: Path, *, category: str, skeleton: str | None = None, outlined: bool = False
) -> KeypointData:
    """Read a COCO keypoint file. Photos that do not exist are left out and listed among the flaws.

    ``skeleton`` names a built-in one, whose parts are found by name; a ``neck`` the category lacks is the middle of
    two labelled shoulders. Without it the category's own keypoints and skeleton are learnt. ``outlined``: crowds and
    unlabelled people that have a segmentation are ignored inside it, not in their whole box.
    Raises ConfigError where no training could start: no such file or category, or no photo at all.
    """
    try:
        content = load_coco_json(annotations, dict)
        entry = next((c for c in content["categories"] if c["name"] == category), None)
        names = sorted(str(c["name"]) for c in content["categories"])
        records, notes = content["images"], content["annotations"]
    except OSError as error:
        raise ConfigError(f"cannot read {annotations}: {error.strerror}", hint="check data.annotations") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{annotations} is no COCO keypoint file: {fault_of(error)}", hint="see docs/training.md"
        ) from error
    if entry is None or not entry.get("keypoints"):
        raise ConfigError(
            f"{annotations} has no keypoints of a category {category!r}, only {', '.join(names)}",
            hint="set data.category",
        )
    learnt = _skeleton_of(entry, skeleton)
    by_image: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    flaws = [*_shared_ids("annotations", notes), *_shared_ids("images", records)]
    known = {c.get("id") for c in content["categories"]}
    for note in notes:
        if note.get("category_id") == entry["id"]:
            by_image[note.get("image_id")].append(note)
        elif note.get("category_id") not in known:
            flaws.append(f"annotation {note.get('id')} is of a category {note.get('category_id')} that is not there")
    if strays := by_image.keys() - {record["id"] for record in records}:
        flaws.append(f"{len(strays)} image ids of annotations are not among the images")
    photos = []
    for record in sorted(records, key=lambda r: r["id"]):
        path = images / record["file_name"]
        if not path.is_file():
            flaws.append(f"{path}: no such file")
            continue
        photos.append(_photo(path, record, by_image[record["id"]], entry["keypoints"], learnt, flaws, outlined))
    if not photos:
        raise ConfigError(f"none of the photos of {annotations} is in {images}", hint="check data.images")
    return KeypointData(tuple(photos), learnt, tuple(flaws))


def _shared_ids(what: str, records: Iterable[Mapping[str, Any]]) -> list[str]:
    times = Counter(record["id"] for record in records if "id" in record)
    return [f"{n} {what} have the id {number}" for number, n in times.items() if n > 1]


def _skeleton_of(entry: Mapping[str, Any], name: str | None) -> Skeleton:
    if name is None:
        parts = tuple(entry["keypoints"])
        limbs = tuple((a - 1, b - 1) for a, b in entry.get("skeleton", ()))
        return Skeleton(str(entry["name"]), parts, limbs, flip_by_name(parts))
    if name not in SKELETONS:
        raise ConfigError(f"there is no skeleton {name!r}", hint=f"data.skeleton is one of {', '.join(SKELETONS)}")
    skeleton = SKELETONS[name]
    if not set(skeleton.parts) & set(entry["keypoints"]):
        raise ConfigError(f"the data has no keypoint of the skeleton {name}", hint="leave data.skeleton out")
    return skeleton


def _photo(
    path: Path,
    record: Mapping[str, Any],
    notes: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    skeleton: Skeleton,
    flaws: list[str],
    outlined: bool,
) -> Photo:
    people, visible, boxes, ignore, main = [], [], [], [], []
    outlines: list[Outline] = []
    for note in notes:
        name = f"{path.name}: annotation {note.get('id')}"
        bbox = _numbers(note.get("bbox", ()))
        if bbox.size != 4 or not np.isfinite(bbox).all():
            flaws.append(f"{name} has no bbox of four finite numbers and is left out")
            continue
        x, y, w, h = bbox.tolist()
        if w <= 0 or h <= 0:
            flaws.append(f"{name} has a bbox of {w:g} x {h:g} pixels")
        box = (x, y, x + w, y + h)
        flat = _numbers(note.get("keypoints", ()))
        if flat.size != 3 * len(names):
            flaws.append(f"{name} has {flat.size} numbers, not {3 * len(names)}")
            ignore.append(box)
            continue
        xy, v = _parts(_usable(flat.reshape(-1, 3), name, flaws), names, skeleton)
        if note.get("iscrowd") or not v.any():
            found = _outlines(note, path, flaws) if outlined else ()
            outlines += found
            if not found:
                ignore.append(box)
            continue
        inside = (xy >= -1).all(axis=1) & (xy <= (record["width"], record["height"])).all(axis=1)
        if (v[~inside] > 0).any():
            flaws.append(f"{name} has keypoints outside the photo")
            v = np.where(inside, v, 0).astype(np.uint8)
        people.append(xy)
        visible.append(v)
        boxes.append(box)
        # A hand-annotated person comes before one that only a teacher network has seen; then the larger.
        main.append((str(note.get("source", "")) != "teacher", w * h))
    k_parts = len(skeleton)
    return Photo(
        path,
        int(record["width"]),
        int(record["height"]),
        np.asarray(people, np.float32).reshape(-1, k_parts, 2),
        np.asarray(visible, np.uint8).reshape(-1, k_parts),
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.asarray(ignore, np.float32).reshape(-1, 4),
        max(range(len(main)), key=main.__getitem__) if main else -1,
        tuple(outlines),
    )


def _numbers(values: Any) -> NDArray[np.float64]:
    """Return a list of JSON as numbers; NaN for null, nothing where something else than a number is among them."""
    try:
        return np.asarray(values, np.float64).ravel()
    except (ValueError, TypeError):
        return np.empty(0)


def _usable(triples: NDArray[np.float64], name: str, flaws: list[str]) -> NDArray[np.float32]:
    """Return the keypoints, those whose place or visibility means nothing as unknown."""
    finite = np.isfinite(triples).all(axis=1)
    meant = np.isin(triples[:, 2], (0, 1, 2))
    if not finite.all():
        flaws.append(f"{name} has {_counted((~finite).sum(), 'keypoint')} with numbers that are not finite")
    if (wrong := triples[np.isfinite(triples[:, 2]) & ~meant, 2]).size:
        flaws.append(f"{name} has {_counted(wrong.size, 'keypoint')} with v = {wrong[0]:g}, not 0, 1 or 2")
    return np.where((finite & meant)[:, None], triples, 0).astype(np.float32)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _outlines(note: Mapping[str, Any], path: Path, flaws: list[str]) -> tuple[Outline, ...]:
    try:
        return outlines_of(note.get("segmentation") or ())
    except ConfigError as error:
        flaws.append(f"{path.name}: annotation {note.get('id')}: {error.message}")
        return ()


def _parts(
    triples: NDArray[np.float32], names: Sequence[str], skeleton: Skeleton
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    index = {name: i for i, name in enumerate(names)}
    xy = np.zeros((len(skeleton), 2), np.float32)
    visible = np.zeros(len(skeleton), np.uint8)
    for part, name in enumerate(skeleton.parts):
        if name in index:
            xy[part] = triples[index[name], :2]
            visible[part] = triples[index[name], 2]
        elif name == "neck" and all(shoulder in index for shoulder in _NECK_OF):
            left, right = (triples[index[shoulder]] for shoulder in _NECK_OF)
            xy[part] = (left[:2] + right[:2]) / 2
            visible[part] = min(left[2], right[2])
    return xy, visible
