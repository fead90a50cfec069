from typing import Any

import numpy as np
from numpy.typing import NDArray

class Parser:
    def __init__(
        self,
        *,
        part_channels: list[int],
        limbs: list[tuple[int, int, int, int, bool]],
        peak_threshold: float,
        limb_threshold: float,
        limb_samples: int,
        needed_samples: int,
        max_peaks: int,
        max_people: int,
        min_keypoints: int,
        min_person_score: float,
    ) -> None: ...
    def decode(
        self, cmap: NDArray[Any], paf: NDArray[Any], to_frame: list[NDArray[np.float64]]
    ) -> list[
        tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]
    ]: ...
