"""How well ids are kept on a generated street, what smoothing does, and what both cost.

    python scripts/bench_track.py [--seeds 8]

The street is that of tests/track/scene.py: people cross, hide for ten frames, leave and enter, and are found with
errors. Times are medians of one frame, tracker and smoother apart.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.people import people_at
from tests.track.mot import Score, score
from tests.track.scene import HEIGHT, WIDTH, Scene, busy_street
from trt_pose_app.track import PoseSmoother, Tracker

POOR = {"noise": 1.0, "misses": 0.1, "part_misses": 0.2, "ghosts": 0.1}


def followed(scene: Scene) -> Score:
    tracker = Tracker()
    return score([(truth, tracker.update(poses, at_s, (WIDTH, HEIGHT))) for at_s, truth, poses in scene])


def milliseconds(n_people: int) -> tuple[float, float]:
    """Return what a frame of so many people costs: tracking, smoothing."""
    tracker, smoother = Tracker(), PoseSmoother()
    rng = np.random.default_rng(0)
    places = np.stack([np.linspace(60, 1220, n_people), np.full(n_people, 300)], axis=1)
    track_s, smooth_s = [], []
    for index in range(300):
        poses = people_at(*map(tuple, places + rng.normal(size=places.shape)))
        start = perf_counter()
        poses = tracker.update(poses, index / 30, (WIDTH, HEIGHT))
        tracked = perf_counter()
        smoother.update(poses, index / 30)
        track_s.append(tracked - start)
        smooth_s.append(perf_counter() - tracked)
    return 1e3 * statistics.median(track_s[10:]), 1e3 * statistics.median(smooth_s[10:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    for name, errors in (("street", {}), ("poor network", POOR)):
        for fps in (30, 15, 10):
            scores = [followed(busy_street(fps, seed, **errors)) for seed in range(arguments.seeds)]
            print(
                f"{name:12} {fps:2} fps: id switches {sum(s.switches for s in scores)} in {len(scores)} runs, "
                f"MOTA {statistics.mean(s.mota for s in scores):.3f}, "
                f"IDF1 {statistics.mean(s.idf1 for s in scores):.3f}, "
                f"ids for 9 people {statistics.mean(s.ids for s in scores):.1f}",
                flush=True,
            )
    for n_people in (1, 10, 20):
        track_ms, smooth_ms = milliseconds(n_people)
        print(f"{n_people:2} people: tracking {track_ms:.2f} ms, smoothing {smooth_ms:.2f} ms a frame")


if __name__ == "__main__":
    main()
