"""The values that pass between the stages: frames in, poses out, and what each step took.

All are frozen, hold numpy arrays and are cheap to hand between threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError, DecodeError, DependencyError
from trt_pose_app.skeleton import Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture with its place in time.

    ``image`` (H, W, 3) uint8 BGR, made read-only. ``captured_s`` is the monotonic clock at capture, the origin of
    every latency; ``wall_s`` (seconds since the epoch) is payload only. ``source`` carries no credentials.
    ``pts_s`` is the presentation time inside a file, or None.
    """

    image: NDArray[np.uint8]
    index: int
    captured_s: float
    wall_s: float
    source: str
    pts_s: float | None = None

    def __post_init__(self) -> None:
        image = self.image
        if image is None:
            raise ConfigError(
                "a frame is (H, W, 3) uint8 BGR, not None", hint="cv2.imread returns None for a file it cannot read"
            )
        if not isinstance(image, np.ndarray):
            raise ConfigError(
                f"a frame is an (H, W, 3) uint8 BGR array, not a {type(image).__name__}", hint="try numpy.asarray first"
            )
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ConfigError(
                f"a frame is (H, W, 3) uint8 BGR, not {image.shape} {image.dtype}",
                hint="convert grey or RGBA pictures with cv2.cvtColor first",
            )
        image.setflags(write=False)

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape (-1 = dynamic) and numpy dtype name of one input or output of a network."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Timings:
    """What the loop knows about one frame: stage times in milliseconds and counters since the start.

    For a live source ``total_ms`` runs from capture to the end of decoding and so includes waiting; for a file, which
    is read ahead, it is the sum of the stages. ``seq`` numbers the results of one run from 0; ``dropped`` counts frames
    that a live source took and nobody looked at. ``carried`` says that no network ran for this frame: ``infer_ms`` is 0
    then, and finding out where people went counts as decoding.
    """

    capture_ms: float = 0.0
    preprocess_ms: float = 0.0
    infer_ms: float = 0.0
    decode_ms: float = 0.0
    total_ms: float = 0.0
    seq: int = 0
    dropped: int = 0
    carried: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """N people of one frame, best first.

    ``xy`` (N, K, 2) float32 pixels of the original frame, pixel centres at integers, NaN where missing;
    ``score`` (N, K) float32 in [0, 1], 0 exactly where ``xy`` is NaN; ``person`` (N,) float32 in [0, 1],
    descending; ``box`` (N, 4) float32 x0, y0, x1, y1; ``track`` (N,) int32 with -1 for no id.
    Raises DecodeError if an array breaks this.
    """

    xy: NDArray[np.float32]
    score: NDArray[np.float32]
    person: NDArray[np.float32]
    box: NDArray[np.float32]
    track: NDArray[np.int32]
    skeleton: Skeleton

    def __post_init__(self) -> None:
        n_people, k_parts = len(self.person), len(self.skeleton)
        wanted: Mapping[str, tuple[tuple[int, ...], type]] = {
            "xy": ((n_people, k_parts, 2), np.float32),
            "score": ((n_people, k_parts), np.float32),
            "person": ((n_people,), np.float32),
            "box": ((n_people, 4), np.float32),
            "track": ((n_people,), np.int32),
        }
        problems = []
        for name, (shape, dtype) in wanted.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                problems.append(f"{name} is {array.shape} {array.dtype}, not {shape} {np.dtype(dtype)}")
        if not problems:
            missing = np.isnan(self.xy).any(axis=2)
            if not ((self.score >= 0) & (self.score <= 1)).all():
                problems.append("score leaves [0, 1]")
            elif not np.array_equal(missing, self.score == 0):
                problems.append("score must be 0 exactly where xy is NaN")
            if np.isinf(self.xy).any() or not np.isfinite(self.box).all():
                problems.append("xy or box is not finite")
            if (np.diff(self.person) > 0).any() or not ((self.person >= 0) & (self.person <= 1)).all():
                problems.append("person is not descending or leaves [0, 1]")
        if problems:
            raise DecodeError(f"not a valid Poses: {'; '.join(problems)}", hint="see the docstring of Poses")
        self._freeze()

    @classmethod
    def trusted(
        cls,
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        person: NDArray[np.float32],
        box: NDArray[np.float32],
        track: NDArray[np.int32],
        skeleton: Skeleton,
    ) -> Poses:
        """Build without the checks, for a decoder whose tests prove the invariants: they cost more than a decode."""
        self = object.__new__(cls)
        for name, value in zip(cls.__slots__, (xy, score, person, box, track, skeleton)):
            object.__setattr__(self, name, value)
        return self

    @classmethod
    def empty(cls, skeleton: Skeleton) -> Poses:
        """Nobody in view."""
        k_parts = len(skeleton)
        return cls(
            np.empty((0, k_parts, 2), np.float32),
            np.empty((0, k_parts), np.float32),
            np.empty(0, np.float32),
            np.empty((0, 4), np.float32),
            np.empty(0, np.int32),
            skeleton,
        )

    def _freeze(self) -> None:
        for array in (self.xy, self.score, self.person, self.box, self.track):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.person)

    def to_skeleton(self, skeleton: Skeleton) -> Poses:
        """Return the same people in another skeleton; parts that this one lacks are missing."""
        if skeleton is self.skeleton:
            return self
        index = self.skeleton.mapping_to(skeleton)
        xy, score = self.xy[:, index], self.score[:, index]
        xy[:, index < 0], score[:, index < 0] = np.nan, 0
        return Poses(xy, score, self.person, self.box, self.track, skeleton)

    def keypoints(self, decimals: int = 1) -> list[list[float]]:
        """Return each person's flat [x, y, score, ...]: pixels rounded, a missing keypoint is 0, 0, 0."""
        seen = self.score > 0
        triples = np.zeros((*self.score.shape, 3))
        # Through float64, so that a rounded float32 does not print as 12.300000190734863.
        triples[..., :2] = np.where(seen[..., None], self.xy, 0).astype(np.float64).round(decimals)
        triples[..., 2] = self.score.astype(np.float64).round(3)
        # A tiny score must not become 0, which means missing.
        triples[..., 2][seen] = np.maximum(triples[..., 2][seen], 0.001)
        flat: list[list[float]] = triples.reshape(len(self), 3 * len(self.skeleton)).tolist()
        return flat

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the ``people`` objects of the pose message: score, bbox [x, y, w, h], keypoints, and id if tracked."""
        people = []
        for i, keypoints in enumerate(self.keypoints()):
            x0, y0, x1, y1 = self.box[i].astype(np.float64)
            person: dict[str, Any] = {"id": int(self.track[i])} if self.track[i] >= 0 else {}
            person["score"] = round(float(self.person[i]), 4)
            person["bbox"] = [round(v, 1) for v in (x0, y0, x1 - x0, y1 - y0)]
            person["keypoints"] = keypoints
            people.append(person)
        return people

    def to_coco(self, image_id: int, category_id: int = 1) -> list[dict[str, Any]]:
        """Return COCO keypoint results for one image, in this skeleton's order (COCO evaluation wants ``COCO17``)."""
        return [
            {
                "image_id": image_id,
                "category_id": category_id,
                "keypoints": keypoints,
                "score": float(self.person[i]),
            }
            for i, keypoints in enumerate(self.keypoints(decimals=2))
        ]

    def to_openpose_json(self) -> dict[str, Any]:
        """Return the document that OpenPose's ``--write_json`` writes for one frame (version 1.3)."""
        rest = ("face", "hand_left", "hand_right")
        people = [
            {
                "person_id": [int(self.track[i])],
                "pose_keypoints_2d": keypoints,
                **{f"{part}_keypoints_2d": [] for part in rest},
                "pose_keypoints_3d": [],
                **{f"{part}_keypoints_3d": [] for part in rest},
            }
            for i, keypoints in enumerate(self.keypoints(decimals=3))
        ]
        return {"version": 1.3, "people": people}

    def to_supervision(self) -> Any:
        """Return a ``supervision.KeyPoints`` (missing keypoints at 0, 0 with confidence 0, as that library has it)."""
        try:
            import supervision
        except ImportError as error:
            raise DependencyError(
                "to_supervision needs the package supervision", hint="pip install supervision"
            ) from error
        return supervision.KeyPoints(xy=np.nan_to_num(self.xy), confidence=self.score)


def boxes_around(xy: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the (N, 4) boxes x0, y0, x1, y1 around the seen keypoints of ``xy`` (N, K, 2), NaN ones left out."""
    if not len(xy):
        return np.empty((0, 4), np.float32)
    low, high = np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)
    return np.concatenate([low, high], axis=1).astype(np.float32)
