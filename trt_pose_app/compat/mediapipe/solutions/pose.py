"""``mp.solutions.pose``: one person's 33 landmarks in pictures and videos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.compat.mediapipe.errors import BadValueError
from trt_pose_app.compat.mediapipe.model_choice import open_estimator
from trt_pose_app.compat.mediapipe.one_person import OnePerson
from trt_pose_app.compat.mediapipe.pictures import bgr_of
from trt_pose_app.compat.mediapipe.pose_landmark import PoseLandmark
from trt_pose_app.compat.mediapipe.results import SolutionOutputs, outputs_of
from trt_pose_app.compat.mediapipe.solutions.pose_connections import POSE_CONNECTIONS
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ConfigError
from trt_pose_app.types import Poses

__all__ = ["POSE_CONNECTIONS", "Pose", "PoseLandmark"]


class Pose(Closing):
    """The person in RGB pictures, followed from one to the next unless ``static_image_mode``.

    The first seven arguments are MediaPipe's, in its order. ``model`` names the network instead of
    ``model_complexity``, as `trt-pose run --model` does, and ``config`` says how to run it. Raises ConfigError for
    ``enable_segmentation``, ValueError for a complexity or confidence out of range, ModelError, EngineError.
    """

    def __init__(
        self,
        static_image_mode: bool = False,
        model_complexity: int = 1,
        smooth_landmarks: bool = True,
        enable_segmentation: bool = False,
        smooth_segmentation: bool = True,
        min_detection_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
        *,
        model: str | None = None,
        config: ModelConfig | None = None,
    ) -> None:
        if enable_segmentation:
            raise ConfigError(
                "no model of this package outlines people, so there is no segmentation_mask",
                hint="leave enable_segmentation at False",
            )
        for name, value in (("detection", min_detection_confidence), ("tracking", min_tracking_confidence)):
            if not 0 <= value <= 1:
                raise BadValueError(f"min_{name}_confidence is {value}", hint="it is between 0 and 1")
        estimator = open_estimator(model_complexity, min_detection_confidence, model, config or ModelConfig())
        self._person: OnePerson | None = OnePerson(
            estimator,
            track=not static_image_mode,
            smooth=smooth_landmarks,
            min_tracking_confidence=min_tracking_confidence,
        )

    def process(self, image: NDArray[np.uint8]) -> SolutionOutputs:
        """Return the person's landmarks in an (H, W, 3) uint8 RGB picture, or None for nobody.

        Raises what MediaPipe does: ValueError for other than three channels and after ``close``, TypeError for
        other numbers than uint8, IndexError for a picture without channels, AttributeError for None.
        """
        return outputs_of(self.poses(image), (image.shape[1], image.shape[0]))

    def poses(self, image: NDArray[np.uint8]) -> Poses:
        """Return what ``process`` makes landmarks of, in pixels and the model's own skeleton: nobody or one person."""
        if self._person is None:
            raise _closed("_graph is None in SolutionBase")
        return self._person(bgr_of(image))

    def reset(self) -> None:
        """Forget the person: the next picture is the first of another video."""
        if self._person is not None:
            self._person.reset()

    def close(self) -> None:
        """Free the networks. Raises ValueError if that was done before, as MediaPipe does."""
        if self._person is None:
            raise _closed("Closing SolutionBase._graph which is already None")
        self._person.close()
        self._person = None


def _closed(message: str) -> BadValueError:
    return BadValueError(message, hint="it was closed; make a new Pose, or use it inside the with block")
