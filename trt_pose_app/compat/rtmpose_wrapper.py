"""``RTMPoseWrapper`` and ``RTMPoseStream``: MediaPipe's results, or rtmlib's arrays, from any model."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.compat.mediapipe.model_choice import find_installed
from trt_pose_app.compat.mediapipe.one_person import OnePerson
from trt_pose_app.compat.mediapipe.pictures import bgr_of
from trt_pose_app.compat.mediapipe.pose_landmark import PoseLandmark
from trt_pose_app.compat.mediapipe.results import SolutionOutputs, outputs_of
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ConfigError, DependencyError, EngineError
from trt_pose_app.estimators import Estimator, Models, build, find_models
from trt_pose_app.estimators.gapped import Gapped
from trt_pose_app.estimators.models import PRESETS, TOP_DOWN_KINDS
from trt_pose_app.models.store import default_search, find
from trt_pose_app.sources import open_source
from trt_pose_app.types import Poses

__all__ = ["PoseLandmark", "RTMPoseStream", "RTMPoseWrapper"]

DETECTOR = "rtmdet-nano-person"  # for a pose network that is named alone
_MIN_CONFIDENCE = 0.5  # MediaPipe's

Array = NDArray[np.float32]


class RTMPoseWrapper(Closing):
    """RGB pictures of a video in, the one person's 33 landmarks out, as ``mp.solutions.pose`` gives them.

    ``checkpoint`` is a model's name, a ``detector+pose`` pair or the path of a network; a pose network alone is joined
    with ``rtmdet-nano-person``. Without one the best installed model is taken. ``model_config`` is the spec (TOML) of a
    network that has none of its own. ``device`` is cpu, cuda or cuda:0; where CUDA cannot be had the CPU takes over
    with a warning. Networks run on every ``inference_gap``-th picture, optical flow carries the person between.
    Raises ConfigError, ModelError, EngineError.
    """

    def __init__(
        self,
        model_config: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        device: str = "cuda:0",
        inference_gap: int = 4,
    ) -> None:
        estimator, self.device = _open(model_config, checkpoint, device, inference_gap)
        self._person = OnePerson(estimator, track=True, smooth=True, min_tracking_confidence=_MIN_CONFIDENCE)

    def process(self, image: NDArray[np.uint8]) -> SolutionOutputs:
        """Return the person in an (H, W, 3) uint8 RGB picture: ``.pose_landmarks``, or ``['pose_landmarks']``.

        Both are None where nobody is. Raises what ``mp.solutions.pose.Pose.process`` does.
        """
        return outputs_of(self.poses(image), (image.shape[1], image.shape[0]))

    def poses(self, image: NDArray[np.uint8]) -> Poses:
        """Return the person in pixels and the model's own skeleton, for ``trt_pose_app.body``: nobody or one."""
        return self._person(bgr_of(image))

    def close(self) -> None:
        """Free the networks. Idempotent."""
        self._person.close()


class RTMPoseStream(Closing):
    """A camera, and everybody in its pictures.

    ``camera_index`` is a number, or any source that `trt-pose run` takes, such as a file or ``rtsp://`` address. The
    rest as in ``RTMPoseWrapper``. Iterating gives what ``read`` does until a file's end.
    """

    def __init__(
        self,
        camera_index: int | str = 0,
        inference_gap: int = 4,
        device: str = "cuda:0",
        model_config: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        self._source = open_source(str(camera_index))
        try:
            self._estimator, self.device = _open(model_config, checkpoint, device, inference_gap)
        except BaseException:
            self._source.close()
            raise

    def read(self, timeout_s: float = 10.0) -> tuple[NDArray[np.uint8] | None, Array, Array]:
        """Return the next picture, keypoints (N, K, 2) in its pixels and scores (N, K); None and nobody at the end.

        The picture is (H, W, 3) uint8 BGR and the caller's own. A keypoint with score 0 is missing, its place NaN.
        Raises SourceTimeoutError if no picture comes within ``timeout_s``, SourceLostError.
        """
        frame = self._source.read(timeout_s)
        if frame is None:
            nobody = Poses.empty(self._estimator.skeleton)
            return None, nobody.xy, nobody.score
        poses = self._estimator(frame)
        return frame.image.copy(), poses.xy, poses.score

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], Array, Array]]:
        while True:
            image, xy, score = self.read()
            if image is None:
                return
            yield image, xy, score

    def release(self) -> None:
        """Close the camera and free the networks. Idempotent."""
        self._source.close()
        self._estimator.close()

    close = release


def _open(
    model_config: str | os.PathLike[str] | None, checkpoint: str | os.PathLike[str] | None, device: str, gap: int
) -> tuple[Estimator, str]:
    """Return an estimator and the device it runs on."""
    if gap < 1:
        raise ConfigError(f"an inference gap of {gap} frames", hint="1 is the least: the networks run on every frame")
    config = ModelConfig(spec=None if model_config is None else Path(model_config), backend=_backend(device))
    models = _find(None if checkpoint is None else os.fspath(checkpoint), config)
    if any(bundle.path.suffix == ".engine" for bundle in models.bundles):
        # Built for one GPU: there is no other device to run it on.
        estimator, device = build(models, config.model_copy(update={"backend": "auto"})), "cuda:0"
    else:
        try:
            estimator = build(models, config)
        except (DependencyError, EngineError) as error:
            if config.backend == "cpu":
                raise
            warnings.warn(f"running on the CPU instead of {device}: {error}", RuntimeWarning, stacklevel=3)
            estimator, device = build(models, config.model_copy(update={"backend": "cpu"})), "cpu"
    return Gapped(estimator, gap) if gap > 1 else estimator, device


def _backend(device: str) -> Literal["cpu", "cuda"]:
    if device == "cpu":
        return "cpu"
    number = re.fullmatch(r"cuda(?::(\d+))?", device)
    if number is None:
        raise ConfigError(f"there is no device {device!r}", hint="it is cpu, cuda or cuda:0")
    if int(number[1] or 0):
        raise ConfigError(
            f"{device} cannot be chosen here",
            hint=f"set CUDA_VISIBLE_DEVICES={number[1]} in the environment and use cuda:0",
        )
    return "cuda"


def _find(checkpoint: str | None, config: ModelConfig) -> Models:
    search = default_search(os.environ)
    if checkpoint is None:
        return find_installed("balanced", config, search)
    if "+" not in checkpoint and checkpoint not in PRESETS:
        bundle = find(checkpoint, spec=config.spec, search=search)
        if bundle.spec.kind in TOP_DOWN_KINDS:
            return Models(bundle, find(DETECTOR, search=search))
    return find_models(checkpoint, config, search)
