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
    def finish(
        self, peaks: NDArray[np.float32], limbs: NDArray[np.float32], to_frame: list[NDArray[np.float64]]
    ) -> list[
        tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]
    ]: ...

def draw_targets(
    xy: NDArray[np.float32],
    visible: NDArray[np.uint8],
    box: NDArray[np.float32],
    window: NDArray[np.float32],
    ignore: NDArray[np.float32],
    limbs: list[tuple[int, int]],
    *,
    width: int,
    height: int,
    stride: int,
    cmap_sigma: float,
    paf_sigma: float,
    cmap_reach: float,
    paf_reach: float,
    square_window: int,
    uncertain_weight: float,
    mean: bool,
    hide_unknown: bool,
    hide_ignored: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]: ...
def cut_crops(
    image: NDArray[np.uint8],
    scale: NDArray[np.float32],
    shift: NDArray[np.float32],
    rows: NDArray[np.float32],
    *,
    source: tuple[int, int, int],
    gain: tuple[float, float, float],
    bias: tuple[float, float, float],
    border: int,
) -> None: ...
