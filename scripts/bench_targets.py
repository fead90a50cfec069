"""Times the drawing of target maps against trt_pose's own generator. Prints a table.

    python scripts/bench_targets.py

Times are processor time, so that other work on the machine hardly counts. The reference's milliseconds were measured
with its C++ extension on one core of a machine of this class.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from trt_pose_app.skeleton import COCO18
from trt_pose_app.training.targets import People, draw_targets

# (cells a side, people) -> ms of trt_pose's generate_cmap + generate_paf; None: not measured
REFERENCE_MS = {(56, 1): 6.0, (56, 5): 18.0, (56, 20): 56.0, (92, 20): 147.0}
STRIDE = 4


def main() -> None:
    print("cells  people  reference ms  ms, style trt_pose  times faster  ms, style mean")
    for (cells, n_people), reference_ms in REFERENCE_MS.items():
        people = scattered(n_people, cells * STRIDE)
        exact, mean = (median_ms(people, cells, style) for style in ("trt_pose", "mean"))
        print(
            f"{cells:5}  {n_people:6}  {reference_ms:12.0f}  {exact:18.2f}  {reference_ms / exact:12.0f}  {mean:14.2f}"
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


def median_ms(people: People, cells: int, style: str, repeats: int = 40) -> float:
    sigma = 0.025 * cells / np.sqrt(2)
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        draw_targets(people, COCO18, (cells * STRIDE,) * 2, STRIDE, cmap_sigma=sigma, paf_sigma=sigma, style=style)
        times.append(time.thread_time() - start)
    return statistics.median(times) * 1e3


if __name__ == "__main__":
    main()
