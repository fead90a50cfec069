"""Time the part-affinity decoder on the shared scenes and on garbage, or measure how many people it recovers.

    python scripts/bench_paf.py [SCENES] [--quality] [--native | --numpy] [--repeat N]

SCENES is a file of scenes as paf_scenes.read_scenes reads them. One thread. Milliseconds are medians over the seeds of
a scene, of the fastest half of the runs, so that another program on the machine does not count.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import paf_scenes

from trt_pose_app.decode.paf import PafDecoder
from trt_pose_app.skeleton import COCO18

SCENES = Path(__file__).parents[1] / "../shared/golden/trt_pose/scenes.json"
SIZES = (56, 64, 92)


def milliseconds(function: Callable[[], Any], repeat: int) -> float:
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(sorted(times)[: max(1, repeat // 2)])


def time_scenes(decoder: PafDecoder, scenes: list[dict[str, Any]], repeat: int) -> None:
    """Print the time of ``decode``, and of the parser alone without checks and Poses around it."""
    print("| map | layout | people | PafDecoder.decode ms | parser alone ms |")
    print("|---|---|---|---|---|")
    for size in SIZES:
        for layout in ("overlapping", "side_by_side"):
            for people in (1, 5, 20, 50):
                rows = []
                for scene in paf_scenes.select(scenes, layout, people)[:6]:
                    maps, geometry = paf_scenes.maps(scene, size), paf_scenes.geometry(size)
                    to_frame = geometry.cell_to_frame(paf_scenes.STRIDE, 0.5)
                    whole = functools.partial(decoder.decode, maps, [geometry])
                    alone = functools.partial(decoder._parser.decode, maps["cmap"], maps["paf"], [to_frame])
                    rows.append((milliseconds(whole, repeat), milliseconds(alone, repeat)))
                medians = " | ".join(f"{statistics.median(column):.3f}" for column in zip(*rows))
                print(f"| {size}x{size} | {layout.replace('_', ' ')} | {people} | {medians} |", flush=True)


def time_garbage(decoder: PafDecoder, repeat: int) -> None:
    print("\n| garbage frame | " + " | ".join(f"{size}x{size} ms" for size in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    table: dict[str, list[float]] = {}
    for size in SIZES:
        geometry = [paf_scenes.geometry(size)]
        for name, maps in paf_scenes.garbage(size):
            elapsed = milliseconds(functools.partial(decoder.decode, maps, geometry), max(3, repeat // 10))
            table.setdefault(name, []).append(elapsed)
    for name, row in table.items():
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |")


def measure_quality(decoder: PafDecoder, scenes: list[dict[str, Any]]) -> None:
    print("| map | layout | people | half recovered | people returned per frame |")
    print("|---|---|---|---|---|")
    for size in (56, 92):
        for layout in ("overlapping", "side_by_side"):
            for people in (1, 2, 5, 10, 20, 50):
                chosen = paf_scenes.select(scenes, layout, people)
                recovered = returned = 0
                for scene in chosen:
                    (poses,) = decoder.decode(paf_scenes.maps(scene, size), [paf_scenes.geometry(size)])
                    recovered += paf_scenes.recovered(scene, size, poses.xy)
                    returned += len(poses)
                share = 100 * recovered / (people * len(chosen))
                print(
                    f"| {size}x{size} | {layout.replace('_', ' ')} | {people} | {share:.1f} % "
                    f"| {returned / len(chosen):.1f} |"
                )
    empty = [
        len(decoder.decode(paf_scenes.maps({"seed": seed, "keypoints": []}, size), [paf_scenes.geometry(size)])[0])
        for size in (56, 92)
        for seed in range(12)
    ]
    print(f"\nempty noisy frames: {len(empty)}, people in them: {sum(empty)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="?", type=Path, default=SCENES)
    parser.add_argument("--quality", action="store_true", help="how many people are recovered, instead of times")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--native", action="store_const", const=True, dest="native", help="the compiled parser only")
    which.add_argument("--numpy", action="store_const", const=False, dest="native", help="the numpy parser")
    parser.add_argument("--repeat", type=int, default=100, metavar="N", help="runs per scene")
    arguments = parser.parse_args()
    if not arguments.scenes.is_file():
        sys.exit(f"no scenes at {arguments.scenes}: give the path of scenes.json")
    scenes = paf_scenes.read_scenes(arguments.scenes)
    decoder = PafDecoder(COCO18, paf_scenes.LAYOUT, native=arguments.native)
    print(f"{'compiled' if decoder.native else 'numpy'} parser, numpy {np.__version__}, {decoder.params}\n")
    if arguments.quality:
        measure_quality(decoder, scenes)
    else:
        time_scenes(decoder, scenes, arguments.repeat)
        time_garbage(decoder, arguments.repeat)


if __name__ == "__main__":
    main()
