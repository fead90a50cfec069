"""Runs an estimator over the photos of an annotation file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from trt_pose_app.errors import ConfigError, DependencyError
from trt_pose_app.estimators.protocol import Estimator, as_frame
from trt_pose_app.estimators.top_down import TopDown
from trt_pose_app.evaluation.truth import Truth, TruthPhoto
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.sources.images import read_image
from trt_pose_app.types import Poses

FRAME = (640, 480)
FRAME_REPEATS, WARM_UP = 100, 10
LONGEST_S = 15.0  # slow machines measure fewer frames


@dataclass(frozen=True, slots=True)
class Predictions:
    """COCO results of all photos, and the milliseconds from pixels to poses of each.

    ``others`` are the results of the further decoders, in their order.
    """

    results: list[dict[str, Any]]
    photo_ms: list[float]
    others: list[list[dict[str, Any]]]


def check_skeleton(skeleton: Skeleton, truth: Truth) -> None:
    """Raise ConfigError if no part of the data is one of the model's."""
    if (skeleton.mapping_to(truth.skeleton) < 0).all():
        raise ConfigError(
            f"the model finds {', '.join(skeleton.parts[:3])}, ... ({skeleton.name}); {truth.path.name} labels "
            f"{', '.join(truth.skeleton.parts[:3])}, ...: no part is common",
            hint="evaluate on data of the kind the model was made for, or choose another --category",
        )


def predict(
    estimator: Estimator,
    truth: Truth,
    paths: Mapping[int, Path],
    progress: Callable[[], None] = lambda: None,
    *,
    others: Sequence[Estimator] = (),
    true_boxes: bool = False,
) -> Predictions:
    """Return the results in the data's skeleton; ``progress`` is called after each photo.

    ``others`` are the same model with other thresholds: they decode what ``estimator``'s network said, which runs
    once. ``true_boxes`` gives a top-down model the annotated boxes: what its pose network alone can do.
    Raises ConfigError as ``check_skeleton`` does, SourceError for a photo that cannot be decoded.
    """
    check_skeleton(estimator.skeleton, truth)
    if true_boxes and not isinstance(estimator, TopDown):
        raise ConfigError("this model finds everybody at once and takes no boxes", hint="leave out --true-boxes")
    made = Predictions([], [], [[] for _ in others])
    for photo in truth.photos:
        image = read_image(paths[photo.id])
        start = perf_counter()
        if true_boxes and isinstance(estimator, TopDown):
            poses = estimator.poses_in_boxes(image, photo.box[~photo.ignored])
        else:
            prepared = estimator.prepare(as_frame(image))
            maps = estimator.infer(prepared)
            poses = estimator.decode(maps, prepared)
        made.photo_ms.append((perf_counter() - start) * 1e3)
        made.results.extend(_coco(poses, photo, truth))
        for other, results in zip(others, made.others):
            results.extend(_coco(other.decode(maps, prepared), photo, truth))
        progress()
    return made


def _coco(poses: Poses, photo: TruthPhoto, truth: Truth) -> list[dict[str, Any]]:
    return poses.to_skeleton(truth.skeleton).to_coco(photo.id, truth.category_id)


def frame_latency_ms(estimator: Estimator, picture: Path) -> tuple[float, float]:
    """Return the least and the median time of one 640x480 frame, resize to poses, over up to a hundred."""
    try:
        import cv2
    except ImportError as error:
        raise DependencyError("pictures need OpenCV", hint="pip install 'trt-pose-app[cpu]'") from error
    frame = np.asarray(cv2.resize(read_image(picture), FRAME), np.uint8)
    times: list[float] = []
    began = perf_counter()
    while len(times) < WARM_UP + FRAME_REPEATS and (len(times) <= 2 * WARM_UP or perf_counter() - began < LONGEST_S):
        start = perf_counter()
        estimator(frame)
        times.append((perf_counter() - start) * 1e3)
    return min(times[WARM_UP:]), float(np.median(times[WARM_UP:]))
