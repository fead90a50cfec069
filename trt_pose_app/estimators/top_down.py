"""Top-down estimation: a detector finds people, a pose network looks at each of them."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.decode.detection import Boxes
from trt_pose_app.decode.people import PeopleParams, people_in_boxes, select_people
from trt_pose_app.errors import DecodeError
from trt_pose_app.estimators.crop import sound
from trt_pose_app.estimators.detector import Detector
from trt_pose_app.estimators.pose_network import PoseNetwork
from trt_pose_app.estimators.protocol import Prepared, as_frame
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses

# Beside the pose network's own outputs, what `infer` hands to `decode`.
_BOXES, _SCORES = "boxes", "box_scores"


class TopDown(Closing):
    """Frames in, ``Poses`` out; ``box`` is the detector's. Owns both networks and closes them.

    ``detect``, ``poses_in_boxes`` and ``select`` are the steps for those who bring boxes of their own. ``prepare`` may
    run on another thread than everything else; nothing else may.
    """

    def __init__(self, detector: Detector, pose: PoseNetwork, people: PeopleParams) -> None:
        self.detector = detector
        self.spec = pose.spec
        self.engine = pose.engine
        self.skeleton: Skeleton = pose.spec.build_skeleton()
        self._pose = pose
        self._people = people

    def prepare(self, frame: Frame) -> Prepared:
        """Resize and normalise for the detector."""
        start = perf_counter()
        feeds, geometry = self.detector.prepare(frame.image)
        return Prepared(frame.image, feeds, geometry, (perf_counter() - start) * 1e3)

    def infer(self, prepared: Prepared) -> Mapping[str, NDArray[Any]]:
        """Run both networks; what they say stays valid until the next call. Without a box only the detector runs."""
        boxes = self.detector.infer(prepared.feeds, prepared.geometry)
        return self._infer(prepared.image, boxes.xyxy, boxes.score)

    def decode(self, maps: Mapping[str, NDArray[Any]], prepared: Prepared) -> Poses:
        """Read the people out of what ``infer`` gave, in pixels of the frame."""
        return self.select(self._decode(maps))

    def detect(self, image: NDArray[np.uint8]) -> Boxes:
        """Return boxes of people in an (H, W, 3) BGR uint8 picture."""
        return self.detector(image)

    def poses_in_boxes(
        self, image: NDArray[np.uint8], boxes: NDArray[np.floating], scores: NDArray[np.floating] | None = None
    ) -> Poses:
        """Return one person for each of ``boxes`` (N, 4) x0, y0, x1, y1 in pixels of ``image``, best first.

        Nobody is dropped but for boxes that are not finite or have no area; ``Poses.box`` says which box is whose, as
        it was given. ``scores`` (N,) are the boxes', by default 1. Raises DecodeError for other shapes.
        """
        boxes = np.asarray(boxes, np.float32)
        given = np.ones(len(boxes), np.float32) if scores is None else np.asarray(scores, np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or given.shape != boxes.shape[:1]:
            raise DecodeError(
                f"boxes is {boxes.shape} with the scores {given.shape}", hint="give boxes (N, 4) and scores (N,)"
            )
        return self._decode(self._infer(image, boxes, np.nan_to_num(given)))

    def select(self, poses: Poses) -> Poses:
        """Return those of ``poses`` that count as a person by the thresholds, each once."""
        return select_people(poses, self._people)

    def __call__(self, frame: Frame | NDArray[np.uint8]) -> Poses:
        """Return the people in a frame, or in an (H, W, 3) BGR uint8 picture."""
        prepared = self.prepare(as_frame(frame))
        return self.decode(self.infer(prepared), prepared)

    def _infer(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32], scores: NDArray[np.float32]
    ) -> Mapping[str, NDArray[Any]]:
        good = sound(boxes)
        boxes, scores = boxes[good], scores[good]
        outputs = self._pose.infer(image, self._pose.crops(boxes)) if len(boxes) else {}
        return {**outputs, _BOXES: boxes, _SCORES: scores}

    def _decode(self, maps: Mapping[str, NDArray[Any]]) -> Poses:
        boxes, scores = maps[_BOXES], maps[_SCORES]
        if not len(boxes):
            return Poses.empty(self.skeleton)
        keypoints = self._pose.decoder.decode(maps)
        xy = self._pose.crops(boxes).to_frame(keypoints.xy)
        return people_in_boxes(xy, keypoints.score, boxes, scores, self.skeleton, self._people.peak_threshold)

    def close(self) -> None:
        """Free both engines. Idempotent."""
        self._pose.close()
        self.detector.close()
