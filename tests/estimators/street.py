"""A generated street in pictures: textured people walk in front of a textured wall, and networks that see it truly.

The networks read the number of the frame from the picture's first pixel and answer from the scene: what is tested with
them is when they are asked and where they are told to look. Flow works on the pixels themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tests.people import STANDING
from trt_pose_app.decode.detection import Boxes
from trt_pose_app.decode.keypoints import Keypoints
from trt_pose_app.decode.people import PeopleParams
from trt_pose_app.estimators.crop import Crops
from trt_pose_app.estimators.top_down import TopDown
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.types import Frame

WIDTH, HEIGHT = 640, 360
_CROP = (96, 128)
_FIGURE = STANDING / 500  # in heights, around the hips
_BOX = np.array([-0.24, -0.55, 0.24, 0.55])


@dataclass(frozen=True)
class Walker:
    """Hips at ``x``, ``y`` in frame 0, then on by ``speed`` px a frame; there in [``first``, ``last``).

    Later walkers of a street are in front of earlier ones. One that is no ``person`` only hides others.
    """

    x: float
    speed: float
    y: float = 190.0
    height_px: float = 200.0
    first: int = 0
    last: int = 10**9
    person: bool = True

    def hips(self, index: int) -> np.ndarray:
        return np.array([self.x + self.speed * index, self.y])

    def xy(self, index: int) -> np.ndarray:
        """Return the keypoints (17, 2) in a frame."""
        return _FIGURE * self.height_px + self.hips(index)

    def box(self, index: int) -> np.ndarray:
        """Return the box x0, y0, x1, y1."""
        return _BOX * self.height_px + np.tile(self.hips(index), 2)


class Street:
    """Frames of walkers, and who is visible in them."""

    def __init__(self, walkers: Sequence[Walker], frames: int = 60) -> None:
        rng = np.random.default_rng(3)
        self.walkers = walkers
        self.frames = frames
        self._wall = _texture(rng, (HEIGHT, WIDTH))
        self._clothes = [_texture(rng, (220, 96)) for _ in walkers]

    def __len__(self) -> int:
        return self.frames

    def frame(self, index: int) -> Frame:
        image = self._wall.copy()
        for walker, clothes in zip(self.walkers, self._clothes):
            if walker.first <= index < walker.last:
                x0, y0, x1, _ = walker.box(index)
                scale = (x1 - x0) / clothes.shape[1]
                matrix = np.array([[scale, 0, x0], [0, scale, y0]])
                mode = {"dst": image, "borderMode": cv2.BORDER_TRANSPARENT}
                cv2.warpAffine(clothes, matrix, (WIDTH, HEIGHT), **mode)
        image[0, 0] = index
        return Frame(image, index, index / 30, index / 30, "street")

    def visible(self, index: int) -> dict[int, np.ndarray]:
        """Return which of the keypoints (17,) of each walker show, of those with a third or more of them."""
        seen = {}
        for number, walker in enumerate(self.walkers):
            if walker.person and walker.first <= index < walker.last:
                xy = walker.xy(index)
                shows = ((xy >= -0.5) & (xy <= (WIDTH - 0.5, HEIGHT - 0.5))).all(axis=1)
                for nearer in self.walkers[number + 1 :]:
                    if nearer.first <= index < nearer.last:
                        box = nearer.box(index)
                        shows &= ~((xy >= box[:2]) & (xy <= box[2:])).all(axis=1)
                if shows.sum() >= 6:
                    seen[number] = shows
        return seen

    def estimator(self) -> SeeingTopDown:
        """Return top-down estimation with networks that see this street; it counts their runs."""
        return SeeingTopDown(self)


class _Detector:
    def __init__(self, street: Street) -> None:
        self._street = street
        self.frames: list[int] = []

    def prepare(self, image: np.ndarray) -> tuple[Mapping[str, np.ndarray], Geometry]:
        return {"x": image}, Geometry.stretch((WIDTH, HEIGHT), (WIDTH, HEIGHT))

    def infer(self, feeds: Mapping[str, np.ndarray], geometry: Geometry) -> Boxes:
        index = int(feeds["x"][0, 0, 0])
        self.frames.append(index)
        seen = [self._street.walkers[number].box(index) for number in self._street.visible(index)]
        return Boxes(np.array(seen, np.float32).reshape(-1, 4), np.full(len(seen), 0.9, np.float32))

    def close(self) -> None:
        pass


class _PoseNetwork:
    """Finds the person who fills the crop best, with low scores where it shows another or nobody."""

    engine: Any = None

    def __init__(self, street: Street) -> None:
        self._street = street
        self.frames: list[int] = []
        self.decoder = self
        self.spec = ModelSpec.model_validate(
            {
                "name": "street",
                "kind": "simcc",
                "skeleton": "coco17",
                "input": {"name": "x", "width": 96, "height": 128, "colour": "rgb", "resize": "affine-crop"},
                "outputs": {"x": "x", "y": "y"},
                "simcc": {},
                "origin": {"licence": "none"},
            }
        )

    def crops(self, boxes: np.ndarray) -> Crops:
        return Crops.around(boxes, _CROP, 1.25)

    def infer(self, image: np.ndarray, crops: Crops) -> dict[str, np.ndarray]:
        index = int(image[0, 0, 0])
        self.frames.append(index)
        xy = np.full((len(crops.scale), 17, 2), 1.0, np.float32)
        score = np.full((len(crops.scale), 17), 0.15, np.float32)
        seen = self._street.visible(index)
        for row, (scale, shift) in enumerate(zip(crops.scale, crops.shift)):
            centre = (np.array(_CROP) / 2 - shift) / scale
            walkers = {number: self._street.walkers[number] for number in seen}
            apart = {n: np.abs(w.hips(index) - centre).max() / w.height_px for n, w in walkers.items()}
            nearest = min(apart, key=lambda n: apart[n], default=None)
            if nearest is not None and apart[nearest] < 0.3:
                xy[row] = walkers[nearest].xy(index) * scale + shift
                score[row] = np.where(seen[nearest], 0.8, 0.15)
        return {"xy": xy, "score": score}

    def decode(self, outputs: Mapping[str, np.ndarray]) -> Keypoints:
        return Keypoints(outputs["xy"], outputs["score"])

    def close(self) -> None:
        pass


class SeeingTopDown(TopDown):
    """Real top-down estimation on networks that see a street; ``detected`` and ``inferred`` are their frames."""

    def __init__(self, street: Street) -> None:
        self._detector, self._network = _Detector(street), _PoseNetwork(street)
        super().__init__(self._detector, self._network, PeopleParams())  # type: ignore[arg-type]

    @property
    def detected(self) -> list[int]:
        return self._detector.frames

    @property
    def inferred(self) -> list[int]:
        return self._network.frames


def _texture(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    coarse = rng.integers(0, 256, (shape[0] // 4, shape[1] // 4, 3)).astype(np.uint8)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
