"""Photo: one picture of a keypoint data set and what is known about the people in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.training.outlines import Outline


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A picture file and its annotation, in pixels of the file with pixel centres at integers.

    ``xy`` (P, K, 2) float32; ``visible`` (P, K) uint8 as in COCO: 0 unknown, 1 labelled but hidden or uncertain,
    2 labelled; ``box`` (P, 4) float32 x0, y0, x1, y1; ``ignore`` (Q, 4) boxes of crowds and of people without a
    single labelled keypoint, ``outlines`` instead of those boxes where it was asked for them. ``main`` is the person
    that a single-person measure looks at, or -1.
    """

    path: Path
    width: int
    height: int
    xy: NDArray[np.float32]
    visible: NDArray[np.uint8]
    box: NDArray[np.float32]
    ignore: NDArray[np.float32]
    main: int
    outlines: tuple[Outline, ...] = ()
