"""Times a refiner's codec on the host against the formulas it replaces: poses to maps, heatmaps to coordinates.

    PYTHONPATH=. OPENBLAS_NUM_THREADS=1 python scripts/bench_pose_maps.py [--people 10]

Prints a table. Times are the least processor time of one thread, so that other work on the machine hardly counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.pose_maps import PoseMaps
from trt_pose_app.decode.soft_argmax import SoftArgmax

K_PARTS, STRIDE = 17, 4
SIZES = {(288, 384): 9.0, (192, 256): 7.0}  # input (width, height) -> sigma in pixels, as PoseFix was released


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10)
    n_people = parser.parse_args().people
    print(f"{n_people} people of {K_PARTS} keypoints, ms\n")
    print("| input | poses to maps | formula | heatmaps to coordinates | formula | together | formulas |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for (width, height), sigma in SIZES.items():
        xy = rng.uniform(0, (width, height), (n_people, K_PARTS, 2))
        valid = np.ones((n_people, K_PARTS), np.bool_)
        heatmaps = rng.normal(0, 1, (n_people, K_PARTS, height // STRIDE, width // STRIDE)).astype(np.float32)
        draw, read = PoseMaps((width, height), sigma), SoftArgmax((width // STRIDE, height // STRIDE))
        encode = least_ms(lambda: draw(xy, valid), 200)  # noqa: B023
        decode = least_ms(lambda: read(heatmaps), 200)  # noqa: B023
        naive_encode = least_ms(lambda: naive_maps(xy, width, height, sigma), 4)  # noqa: B023
        naive_decode = least_ms(lambda: naive_soft_argmax(heatmaps), 10)  # noqa: B023
        print(
            f"| {height}x{width} | {encode:.2f} | {naive_encode:.0f} | {decode:.2f} | {naive_decode:.1f} "
            f"| {encode + decode:.2f} | {naive_encode + naive_decode:.0f} |"
        )


def naive_maps(xy: NDArray[np.float64], width: int, height: int, sigma: float) -> NDArray[np.float64]:
    """Return the maps (N, height, width, K) by the released graph's formula."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    dx = (x[None, :, :, None] - xy[:, None, None, :, 0]) / sigma
    dy = (y[None, :, :, None] - xy[:, None, None, :, 1]) / sigma
    maps: NDArray[np.float64] = 255 * np.exp(-(dx**2) / 2 - dy**2 / 2)
    return maps


def naive_soft_argmax(heatmaps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return coordinates (N, K, 2) by the released graph's formula."""
    n_people, k_parts, height, width = heatmaps.shape
    flat = heatmaps.astype(np.float64).reshape(n_people, k_parts, -1)
    share = np.exp(flat - flat.max(axis=2, keepdims=True))
    share = (share / share.sum(axis=2, keepdims=True)).reshape(heatmaps.shape)
    x, y = (np.broadcast_to(grid, heatmaps.shape) for grid in np.meshgrid(np.arange(width), np.arange(height)))
    return np.stack(((share * x).sum(axis=(2, 3)), (share * y).sum(axis=(2, 3))), axis=2)


def least_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times) * 1e3


if __name__ == "__main__":
    main()
