"""Measures a deployed model on held-out photos: PCK with its 95 % interval, false people on empty photos, latency.

    python scripts/measure_model.py pose-nano openpose-lightweight --shared ../shared

The photos are those of the model card: lspet/val (PCK@0.2 of the torso over the twelve limb joints and over all, sure
keypoints of the hand-annotated person, through the real decoder) and the empty photos of coco_train.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.estimators import Estimator, load
from trt_pose_app.models.store import default_search
from trt_pose_app.skeleton import COCO17

TORSOS = ((5, 12), (6, 11))  # left shoulder to right hip, or the other diagonal
FIRST_LIMB_JOINT = 5  # before it COCO-17 has the face
PAIRS = ([0], [1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12], [13, 14], [15, 16])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names or files")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--input-size", default="256x256", help="as of the model's option of that name")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--min-person-score", type=float)
    parser.add_argument("--peak-threshold", type=float)
    parser.add_argument("--min-keypoints", type=int)
    arguments = parser.parse_args()
    for model in arguments.models:
        config = ModelConfig(
            name=model,
            input_size=arguments.input_size,
            threads=arguments.threads,
            min_person_score=arguments.min_person_score,
            peak_threshold=arguments.peak_threshold,
            min_keypoints=arguments.min_keypoints,
        )
        with load(config=config, search=default_search(os.environ)) as estimator:
            hits, sure = measure_pck(estimator, arguments.shared / "images/lspet", arguments.photos)
            false, photos = count_false_people(estimator, arguments.shared / "images/coco_train")
            best, median = measure_latency_ms(estimator)
        limbs = hits[:, FIRST_LIMB_JOINT:], sure[:, FIRST_LIMB_JOINT:]
        low, high = interval(*limbs)
        print(
            f"{model} {arguments.input_size}: PCK@0.2 limb joints {pck(*limbs):.3f} "
            f"[{low:.3f}, {high:.3f}], all joints {pck(hits, sure):.3f} ({len(hits)} people); "
            f"{false} false people on {photos} empty photos; 640x480 frame {best:.1f} ms at best, {median:.1f} median"
        )
        for pair in PAIRS:
            print(f"  {COCO17.parts[pair[0]].removeprefix('left_'):9} {pck(hits[:, pair], sure[:, pair]):.3f}")


def measure_pck(estimator: Estimator, folder: Path, n_photos: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which joints of which people were found within 0.2 of the torso, and which were sure: both (P, 17).

    Of the people found, the one nearest to the annotation counts: the largest mean OKS over its sure keypoints.
    """
    content = json.loads((folder / "val.json").read_text())
    main = {note["image_id"]: note for note in content["annotations"] if note.get("source") != "teacher"}
    order = estimator.skeleton.mapping_to(COCO17)
    hits, all_sure = [], []
    for record in content["images"][:n_photos]:
        note = main.get(record["id"])
        if note is None or note.get("iscrowd"):
            continue
        triples = np.array(note["keypoints"], float).reshape(17, 3)
        known, sure = triples[:, 2] > 0, triples[:, 2] == 2
        torso = next(
            (np.linalg.norm(triples[a, :2] - triples[b, :2]) for a, b in TORSOS if known[a] and known[b]), None
        )
        if torso is None or not sure.any():
            continue
        all_sure.append(sure)
        found = estimator(cv2.imread(str(folder / "val" / record["file_name"]))).xy[:, order]
        if not len(found):
            hits.append(np.zeros(17, bool))
            continue
        distance = np.nan_to_num(np.linalg.norm(found - triples[None, :, :2], axis=2), nan=np.inf)
        oks = np.exp(-(distance**2) / (2 * note["area"] * (2 * np.array(COCO17.sigmas)) ** 2))
        best = oks[:, sure].mean(axis=1).argmax()
        hits.append((distance[best] <= 0.2 * torso) & sure)
    return np.array(hits), np.array(all_sure)


def pck(hits: NDArray[np.bool_], sure: NDArray[np.bool_]) -> float:
    return float(hits.sum() / sure.sum())


def interval(hits: NDArray[np.bool_], sure: NDArray[np.bool_], draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the PCK over people."""
    rng = np.random.default_rng(0)
    values = [pck(hits[chosen], sure[chosen]) for chosen in rng.integers(len(hits), size=(draws, len(hits)))]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def count_false_people(estimator: Estimator, folder: Path) -> tuple[int, int]:
    """Return how many people were found on the photos without any, and the number of those photos."""
    content = json.loads((folder / "person_keypoints.json").read_text())
    busy = {note["image_id"] for note in content["annotations"]}
    empty = [record for record in content["images"] if record["id"] not in busy]
    return (
        sum(len(estimator(cv2.imread(str(folder / "images" / record["file_name"]))).person) for record in empty),
        len(empty),
    )


def measure_latency_ms(estimator: Estimator, repeats: int = 100) -> tuple[float, float]:
    """Return the least and the median time of one 640x480 frame, resize to poses, in milliseconds."""
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        estimator(frame)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3, float(np.median(times[10:]) * 1e3)


if __name__ == "__main__":
    main()
