"""What the pipeline costs on top of the network, and whether memory stays flat.

    python scripts/bench_pipeline.py VIDEO [--model NAME] [--frames N] [--repeats R]
    python scripts/bench_pipeline.py --memory [--model NAME] [--frames 5000]

The first form runs VIDEO into a null sink and compares the wall time per frame with the time the network itself took
for the very same frames in the very same run; it prints the ratio of every repeat and their median. Frame 0, which
carries warm-up, is left out on both sides. The second form runs a synthetic source, prints resident memory and fails
if it grew by more than 10 MB after the first fifth.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from pathlib import Path
from time import perf_counter

from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.estimators import Estimator, load
from trt_pose_app.models.store import default_search
from trt_pose_app.pipeline import Pipeline
from trt_pose_app.sinks.null import NullSink
from trt_pose_app.sources import open_source
from trt_pose_app.types import Frame, Poses, Timings


class Clock(NullSink):
    """Notes when each result came and how long the network took for it."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.infer_s: list[float] = []

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        self.times_s.append(perf_counter())
        self.infer_s.append(timings.infer_ms / 1e3)


def overhead(video: str, estimator: Estimator, frames: int | None) -> tuple[float, float, int]:
    """Return wall and network seconds per frame, and the number of frames."""
    clock = Clock()
    Pipeline(open_source(video), estimator, [("null://", clock)], frames=frames).run()
    count = len(clock.times_s) - 1
    return (clock.times_s[-1] - clock.times_s[0]) / count, sum(clock.infer_s[1:]) / count, count


def resident_mb() -> float:
    """Return this process's resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Memory(NullSink):
    """Prints resident memory every tenth of the run."""

    def __init__(self, frames: int) -> None:
        self._every = max(1, frames // 10)
        self.readings_mb: list[float] = []

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        if timings.seq % self._every == 0:
            self.readings_mb.append(resident_mb())
            print(f"frame {timings.seq:6}  {self.readings_mb[-1]:7.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--model", default="pose-nano")
    parser.add_argument("--input-size")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    config = ModelConfig(name=arguments.model, input_size=arguments.input_size, threads=arguments.threads)
    with load(config=config, search=default_search(os.environ)) as estimator:
        print(
            f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {estimator.engine.backend}, {arguments.model}"
        )
        if arguments.memory:
            frames = arguments.frames or 5000
            uri = f"synthetic://people?n=5&width=1280&height=720&frames={frames}"
            memory = Memory(frames)
            Pipeline(open_source(uri), estimator, [("memory", memory)]).run()
            growth_mb = resident_mb() - memory.readings_mb[2]
            print(f"end           {resident_mb():7.1f} MB, {growth_mb:+.1f} MB since frame {2 * frames // 10}")
            sys.exit(growth_mb > 10)
        if arguments.video is None:
            parser.error("name a VIDEO, or use --memory")
        ratios = []
        for repeat in range(arguments.repeats):
            wall_s, infer_s, count = overhead(arguments.video, estimator, arguments.frames)
            ratios.append(wall_s / infer_s)
            print(
                f"run {repeat}: {count} frames, wall {wall_s * 1e3:.2f} ms, network {infer_s * 1e3:.2f} ms a frame,",
                end="",
            )
            print(f" overhead {100 * (ratios[-1] - 1):.1f} %")
        print(f"median overhead {100 * (statistics.median(ratios) - 1):.1f} %")


if __name__ == "__main__":
    main()
