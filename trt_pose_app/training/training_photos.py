"""TrainingPhotos: the photos of all data sets of a run, decoded once where memory allows."""

from __future__ import annotations

import logging

import cv2
import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError
from trt_pose_app.training.coco import TrainingData
from trt_pose_app.training.photo import Photo

_LOG = logging.getLogger(__name__)


class TrainingPhotos:
    """Photo numbers to photos and pixels. The ``n_main`` photos of the main data come first.

    A photo that cannot be read is replaced by the next one and counted in ``broken``.
    """

    def __init__(self, data: TrainingData, cache_gb: float) -> None:
        self.all = [*data.main.photos]
        self.n_main = len(self.all)
        self._more: list[tuple[float, int, int]] = []  # share, first photo, number of photos
        for more, share in data.more:
            self._more.append((share, len(self.all), len(more.photos)))
            self.all += more.photos
        self._cache: dict[int, NDArray[np.uint8]] = {}
        self.broken: set[int] = set()
        self._fill_cache(cache_gb * 1e9)

    def in_turn(self, seed: int, number: int) -> int:
        """Return the main photo of sample ``number``: each pass over them is a new permutation."""
        epoch, place = divmod(number, self.n_main)
        return int(np.random.default_rng((seed, 1, epoch)).permutation(self.n_main)[place])

    def exchanged(self, index: int, rng: np.random.Generator) -> int:
        """Return ``index``, or in the shares of further data a photo of theirs."""
        draw = rng.random()
        for share, first, count in self._more:
            if draw < share:
                return first + int(rng.integers(count))
            draw -= share
        return index

    def readable(self, index: int) -> tuple[Photo, NDArray[np.uint8]]:
        """Return the photo ``index``, or the next one that can be read, with its pixels (H, W, 3) BGR."""
        for candidate in range(index, index + len(self.all)):
            candidate %= len(self.all)
            image = self._cache.get(candidate)
            if image is None and candidate not in self.broken:
                image = cv2.imread(str(self.all[candidate].path), cv2.IMREAD_COLOR)
            if image is not None:
                return self.all[candidate], image
            if candidate not in self.broken:
                self._skip(candidate)
        raise ConfigError("no training photo can be read", hint="see `trt-pose train RECIPE --check`")

    def _fill_cache(self, left_bytes: float) -> None:
        for index, photo in enumerate(self.all):
            left_bytes -= 3 * photo.width * photo.height
            if left_bytes < 0:
                return
            image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
            if image is None:
                self._skip(index)
            else:
                self._cache[index] = image

    def _skip(self, index: int) -> None:
        self.broken.add(index)
        _LOG.warning("skipping %s: it cannot be decoded", self.all[index].path)
