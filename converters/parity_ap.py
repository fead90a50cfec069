"""Average precision of one side of a comparison, on annotated photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.parity_side import Side
from converters.person_cutter import PersonCutter
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.decode.people import people_in_boxes
from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import BottomUp, build_keypoint_decoder, build_paf_decoder
from trt_pose_app.estimators.crop import Cropper, sound
from trt_pose_app.estimators.pose_network import PoseNetwork
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.evaluation.coco_ap import check_pycocotools, coco_scores
from trt_pose_app.evaluation.photo_files import photo_paths
from trt_pose_app.evaluation.predictor import check_skeleton
from trt_pose_app.evaluation.truth import read_truth
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.sources.images import read_image
from trt_pose_app.types import Poses


class AnnotatedPhotos:
    """A COCO keypoint file with its photos, of which the first ``limit`` are taken.

    Raises ConfigError for a file or photos that are not there, DependencyError without pycocotools.
    """

    def __init__(self, annotations: Path, images: Path | None = None, *, limit: int | None = None) -> None:
        check_pycocotools()
        self._truth = read_truth(annotations, limit=limit)
        self._paths = photo_paths(self._truth, images)

    def average_precision(self, side: Side) -> float:
        """Return COCO's AP in 0..1. A top-down network gets the true boxes: it alone is converted."""
        spec, truth = side.spec, self._truth
        estimate = _estimator(side)
        check_skeleton(spec.build_skeleton(), truth)
        results: list[dict[str, Any]] = []
        for photo in truth.photos:
            poses = estimate(read_image(self._paths[photo.id]), photo.box[~photo.crowd])
            results += poses.to_skeleton(truth.skeleton).to_coco(photo.id, truth.category_id)
        ap = coco_scores(truth, results).rows["AP"]
        if ap is None:
            raise ConfigError(f"{truth.path} labels nobody", hint="give annotations of people with --annotations")
        return ap

    def person_crops(self, spec: ModelSpec, count: int) -> list[NDArray[np.uint8]]:
        """Return at most ``count`` people, evenly spread over the photos, as a top-down network sees them."""
        cut = PersonCutter(spec)
        people = [(photo.id, box[None]) for photo in self._truth.photos for box in photo.box[~photo.crowd]]
        people = [(number, box) for number, box in people if sound(box)[0]]
        chosen = np.linspace(0, len(people) - 1, min(count, len(people))).round().astype(int)
        return [crop for i in chosen for crop in cut(read_image(self._paths[people[i][0]]), people[i][1])]

    def frames(self, spec: ModelSpec, count: int) -> list[NDArray[np.uint8]]:
        """Return at most ``count`` pictures as the network of ``spec`` sees them: photos, or crops of people."""
        if spec.input.resize == "affine-crop":
            return self.person_crops(spec, count)
        photos = self._truth.photos
        chosen = np.linspace(0, len(photos) - 1, min(count, len(photos))).round().astype(int)
        return [read_image(self._paths[photos[i].id]) for i in chosen]


def _estimator(side: Side) -> Callable[[NDArray[np.uint8], NDArray[np.float64]], Poses]:
    """Return what makes poses of a picture and its people's boxes."""
    spec = side.spec
    if spec.kind in ("paf", "paf_fused"):
        decoder = build_paf_decoder(spec, ModelConfig())
        bottom_up = BottomUp(spec, side.engine, Preprocessor(spec.input), decoder)
        return lambda image, _: bottom_up(image)
    network = PoseNetwork(spec, side.engine, Cropper(spec.input), build_keypoint_decoder(spec))
    skeleton = spec.build_skeleton()

    def in_boxes(image: NDArray[np.uint8], given: NDArray[np.float64]) -> Poses:
        boxes = given[sound(given)].astype(np.float32)
        if not len(boxes):
            return Poses.empty(skeleton)
        crops = network.crops(boxes)
        found = network.decoder.decode(network.infer(image, crops))
        ones = np.ones(len(boxes), np.float32)
        return people_in_boxes(crops.to_frame(found.xy), found.score, boxes, ones, skeleton, spec.decode.peak_threshold)

    return in_boxes
