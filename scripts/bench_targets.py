"""Times the drawing of target maps against trt_pose's own generator. Prints a table; needs the compiled extension.

    PYTHONPATH=. python scripts/bench_targets.py

Times are the least processor time of 200 runs, so that other work on the machine hardly counts. The reference's
milliseconds were measured with its C++ extension on one core of a machine of this class.
"""

from __future__ import annotations

import time
from typing import Literal

import numpy as np

from trt_pose_app.skeleton import COCO18
from trt_pose_app.training.targets import People, draw_targets

# (cells a side, people) -> ms of trt_pose's generate_cmap + generate_paf
REFERENCE_MS = {(56, 1): 6.0, (56, 5): 18.0, (56, 20): 56.0, (92, 20): 147.0}
STRIDE = 4
Style = Literal["mean", "trt_pose"]
STYLES: tuple[Style, Style] = ("trt_pose", "mean")


def main() -> None:
    ways: list[tuple[Style, bool]] = [(style, native) for native in (True, False) for style in STYLES]
    print("| map | people | trt_pose, ms | style trt_pose, ms | times faster | style mean, ms | in numpy, ms: both |")
    print("|---|---|---|---|---|---|---|")
    for (cells, n_people), reference_ms in REFERENCE_MS.items():
        people = scattered(n_people, cells * STRIDE)
        exact, mean, *numpy = (least_ms(people, cells, style, native) for style, native in ways)
        print(
            f"| {cells}x{cells} | {n_people} | {reference_ms:.0f} | {exact:.2f} | {reference_ms / exact:.0f} "
            f"| {mean:.2f} | {numpy[0]:.1f}, {numpy[1]:.1f} |"
        )


def scattered(n_people: int, side_px: int) -> People:
    """Return people of a quarter of the picture's height all over it."""
    rng = np.random.default_rng(0)
    centre = rng.uniform(0.1 * side_px, 0.9 * side_px, (n_people, 1, 2))
    xy = (centre + rng.normal(0, 0.07 * side_px, (n_people, len(COCO18), 2))).astype(np.float32)
    return People(
        xy,
        np.full((n_people, len(COCO18)), 2, np.uint8),
        np.concatenate((xy.min(axis=1), xy.max(axis=1)), axis=1),
        np.tile(np.array([0, 0, side_px, side_px], np.float32), (n_people, 1)),
        np.empty((0, 4), np.float32),
    )


def least_ms(people: People, cells: int, style: Style, native: bool, repeats: int = 200) -> float:
    sigma = float(0.025 * cells / np.sqrt(2))
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        draw_targets(
            people, COCO18, (cells * STRIDE,) * 2, STRIDE, cmap_sigma=sigma, paf_sigma=sigma, style=style, native=native
        )
        times.append(time.thread_time() - start)
    return min(times) * 1e3


if __name__ == "__main__":
    main()
