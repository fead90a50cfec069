"""Any estimator, run on some frames only: people are carried or looked for where they were in the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.closing import Closing
from trt_pose_app.config.schema import GapConfig
from trt_pose_app.errors import ConfigError, DecodeError
from trt_pose_app.estimators.protocol import Estimator, Prepared, as_frame
from trt_pose_app.estimators.regions import Regions
from trt_pose_app.estimators.schedule import Look, Schedule
from trt_pose_app.estimators.top_down import TopDown
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.track.flow import OpticalFlow
from trt_pose_app.track.scene_change import SceneChange
from trt_pose_app.types import Frame, Poses

DEFAULT_PARAMS = GapConfig()


@dataclass(frozen=True, slots=True, eq=False)
class Planned(Prepared):
    """A frame ready for what is due: its small grey picture is in ``feeds``; ``whole`` is there if all networks run."""

    frame: Frame
    look: Look
    whole: Prepared | None

    @property
    def grey(self) -> NDArray[np.uint8]:
        """The picture in which optical flow is sought."""
        return self.feeds["grey"]


class Gapped(Closing):
    """An estimator whose networks rest on some frames. Owns ``estimator`` and closes it.

    Of every ``inference_gap`` frames one goes through the networks, the others through optical flow; of a
    ``TopDown``, the detector runs only on every ``detector_gap``-th frame. Where flow loses somebody, the networks run;
    where the pose network loses somebody, or the scene changes at once, the detector does. Frames are told apart by
    their order, so one object serves one source, and all its frames. The two gaps win over those in ``params``. Raises
    ConfigError for gaps below 1, and for a detector gap where there is no detector.
    """

    def __init__(
        self,
        estimator: Estimator,
        inference_gap: int | None = None,
        detector_gap: int | None = None,
        *,
        params: GapConfig = DEFAULT_PARAMS,
    ) -> None:
        inference_gap = params.inference_gap if inference_gap is None else inference_gap
        detector_gap = params.detector_gap if detector_gap is None else detector_gap
        if min(inference_gap, detector_gap) < 1:
            raise ConfigError(f"gaps of {inference_gap} and {detector_gap} frames", hint="1 is the least: every frame")
        self._regions: Regions | None = None
        if detector_gap > 1:
            if not isinstance(estimator, TopDown):
                raise ConfigError(
                    f"{estimator.spec.name} has no detector that could rest",
                    hint="leave detector_gap at 1, or use a detector+pose pair; inference_gap works with every model",
                )
            self._regions = Regions(estimator, params.region_score)
        self.estimator = estimator
        self.spec = estimator.spec
        self.engine = estimator.engine
        self.skeleton: Skeleton = estimator.skeleton
        self._schedule = Schedule(inference_gap, detector_gap)
        self._carries = inference_gap > 1
        self._flow = OpticalFlow(params)
        self._scene_change = SceneChange(params.scene_change)
        self._last = Poses.empty(estimator.skeleton)
        self._whole: Prepared | None = None

    def prepare(self, frame: Frame) -> Planned:
        """Make the small grey picture, and what the estimator needs where the whole of it is due."""
        start = perf_counter()
        look = self._schedule.next(frame)
        grey = self._flow.grey(frame.image)
        geometry = Geometry.stretch((frame.width, frame.height), (grey.shape[1], grey.shape[0]))
        whole = self.estimator.prepare(frame) if look is Look.WHOLE else None
        return Planned(
            frame.image, {"grey": grey}, geometry, (perf_counter() - start) * 1e3, frame=frame, look=look, whole=whole
        )

    def infer(self, prepared: Prepared) -> Mapping[str, NDArray[Any]]:
        """Do what is due, or more where that loses somebody. The mapping is empty if no network ran."""
        planned = _planned(prepared)
        grey, look = planned.grey, planned.look
        self._whole = None
        if self._scene_change(grey):
            look = Look.WHOLE
        if look is Look.CARRY:
            carried = self._flow.carry(grey)
            if carried is not None:
                self._last = carried.poses
                if self._regions is not None:
                    self._regions.keep(carried.rows)
                return {}
            look = Look.REGIONS
        if look is Look.REGIONS and self._regions is not None:
            found = self._regions.find(planned.image, self._last)
            if found is not None:
                self._begin(found, planned)
                return {"boxes": found.box} if len(found) else {}
        self._whole = planned.whole or self.estimator.prepare(planned.frame)
        return self.estimator.infer(self._whole)

    def decode(self, maps: Mapping[str, NDArray[Any]], prepared: Prepared) -> Poses:
        """Return the people, in pixels of the frame."""
        if self._whole is not None:
            self._last = self.estimator.decode(maps, self._whole)
            if self._regions is not None:
                self._regions.start(self._last)
            self._begin(self._last, _planned(prepared))
        return self._last

    def _begin(self, poses: Poses, planned: Planned) -> None:
        self._last = poses
        if self._carries:
            self._flow.start(poses, planned.grey, (planned.frame.width, planned.frame.height))

    def __call__(self, frame: Frame | NDArray[np.uint8]) -> Poses:
        """Return the people in the next frame, or in the next (H, W, 3) BGR uint8 picture."""
        prepared = self.prepare(as_frame(frame))
        return self.decode(self.infer(prepared), prepared)

    def close(self) -> None:
        """Free the estimator's engines. Idempotent."""
        self.estimator.close()


def _planned(prepared: Prepared) -> Planned:
    if isinstance(prepared, Planned):
        return prepared
    raise DecodeError("a frame that another estimator prepared", hint="call the prepare() of the same Gapped")
