"""Measures a deployed model on held-out photos: PCK, false people on empty photos, latency. Prints one table row each.

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

from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.estimators import BottomUp, load
from trt_pose_app.models.store import default_search
from trt_pose_app.skeleton import COCO17

TORSOS = ((5, 12), (6, 11))  # left shoulder to right hip, or the other diagonal
FIRST_LIMB_JOINT = 5  # before it COCO-17 has the face


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
            limbs, everything, people = measure_pck(estimator, arguments.shared / "images/lspet", arguments.photos)
            false, photos = count_false_people(estimator, arguments.shared / "images/coco_train")
            median = measure_latency_ms(estimator)
        print(
            f"{model} {arguments.input_size}: PCK@0.2 limb joints {limbs:.3f}, all joints {everything:.3f} "
            f"({people} people); {false} false people on {photos} empty photos; 640x480 frame {median:.1f} ms"
        )


def measure_pck(estimator: BottomUp, folder: Path, n_photos: int) -> tuple[float, float, int]:
    """Return PCK@0.2 of the limb joints, of all joints, and how many people were looked at.

    Of the people found, the one nearest to the annotation counts: the largest mean OKS over its sure keypoints.
    """
    content = json.loads((folder / "val.json").read_text())
    main = {note["image_id"]: note for note in content["annotations"] if note.get("source") != "teacher"}
    order = estimator.skeleton.mapping_to(COCO17)
    hits, sure_joints, people = np.zeros(17), np.zeros(17), 0
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
        people += 1
        sure_joints += sure
        found = estimator(cv2.imread(str(folder / "val" / record["file_name"]))).xy[:, order]
        if not len(found):
            continue
        distance = np.nan_to_num(np.linalg.norm(found - triples[None, :, :2], axis=2), nan=np.inf)
        oks = np.exp(-(distance**2) / (2 * note["area"] * (2 * np.array(COCO17.sigmas)) ** 2))
        best = oks[:, sure].mean(axis=1).argmax()
        hits += (distance[best] <= 0.2 * torso) & sure
    limb_joints = slice(FIRST_LIMB_JOINT, None)
    return hits[limb_joints].sum() / sure_joints[limb_joints].sum(), hits.sum() / sure_joints.sum(), people


def count_false_people(estimator: BottomUp, folder: Path) -> tuple[int, int]:
    """Return how many people were found on the photos without any, and the number of those photos."""
    content = json.loads((folder / "person_keypoints.json").read_text())
    busy = {note["image_id"] for note in content["annotations"]}
    empty = [record for record in content["images"] if record["id"] not in busy]
    return (
        sum(len(estimator(cv2.imread(str(folder / "images" / record["file_name"]))).person) for record in empty),
        len(empty),
    )


def measure_latency_ms(estimator: BottomUp, repeats: int = 60) -> float:
    """Return the median time of one 640x480 frame, resize to poses, in milliseconds."""
    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        estimator(frame)
        times.append(time.perf_counter() - start)
    return float(np.median(times[10:]) * 1e3)


if __name__ == "__main__":
    main()
