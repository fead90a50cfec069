"""What inference and detector gaps save, and how far the keypoints then are from those of every frame.

    TRT_POSE_MODELS=FOLDER python scripts/bench_gap.py VIDEO [--models NAME ...] [--gaps 1:1 4:1 1:10 4:10]

A gap N:M runs the networks on every N-th frame and, of a pair, the detector on every M-th. CPU time of the process, one
thread, without reading the video. Distances are those of keypoints that both runs have, in the frames that did not go
through all networks, of people paired by their nearest keypoints, closer than half a size; ``size`` is the square root
of the area of a person's box. ``hold`` is what repeating the last inferred people would give at the same gap, and the
line ``jitter`` how far keypoints are from one frame to the next where all are inferred. ``kept`` is the share of
keypoints that is still there.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trt_pose_app.config.schema import GapConfig, ModelConfig
from trt_pose_app.estimators import load
from trt_pose_app.estimators.gapped import Gapped
from trt_pose_app.estimators.protocol import as_frame
from trt_pose_app.estimators.top_down import TopDown
from trt_pose_app.types import Poses

MODELS = ("openpose-lightweight", "rtmdet-nano-person+tinypose-256x192")


@dataclass
class Run:
    """One pass over the video: its people and milliseconds frame by frame, and which frames no network looked at."""

    poses: list[Poses] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    carried: list[bool] = field(default_factory=list)
    detected: list[bool] = field(default_factory=list)


class Count:
    """Counts the calls of a function that it stands in for."""

    def __init__(self, function: Any) -> None:
        self.calls = 0
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self._function(*arguments)


def run(model: str, frames: list[np.ndarray], inference_gap: int, detector_gap: int, params: GapConfig) -> Run:
    result = Run()
    with load(model, ModelConfig(threads=1, backend="cpu")) as estimator:
        engine = estimator.detector.engine if isinstance(estimator, TopDown) else estimator.engine
        count = engine.infer = Count(engine.infer)  # type: ignore[method-assign]
        plain = inference_gap == detector_gap == 1
        looked: Any = estimator if plain else Gapped(estimator, inference_gap, detector_gap, params=params)
        estimator(frames[0])  # not counted: page faults and first runs
        for image in frames:
            before, start = count.calls, time.process_time()
            prepared = looked.prepare(as_frame(image))
            maps = looked.infer(prepared)
            poses = looked.decode(maps, prepared)
            result.ms.append((time.process_time() - start) * 1e3)
            result.poses.append(poses)
            result.carried.append(not maps)
            result.detected.append(count.calls > before)
    return result


def distances(poses: Poses, truth: Poses) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Return distances in px and in sizes, and of how many keypoints of ``truth`` how many are there."""
    px: list[np.ndarray] = []
    sizes: list[np.ndarray] = []
    there = wanted = 0
    for xy, box in zip(truth.xy, truth.box):
        wanted += int(np.isfinite(xy[:, 0]).sum())
        if not len(poses):
            continue
        apart = np.hypot(*np.moveaxis(poses.xy - xy, 2, 0))
        nearest = min(apart, key=lambda row: np.nanmedian(row) if np.isfinite(row).any() else np.inf)
        shared = nearest[np.isfinite(nearest)]
        size = np.sqrt(np.prod(box[2:] - box[:2]))
        if not len(shared) or np.median(shared) > size / 2:
            continue
        there += len(shared)
        px.append(shared)
        sizes.append(shared / size)
    return np.concatenate([*px, []]), np.concatenate([*sizes, []]), there, wanted


def compare(pairs: list[tuple[Poses, Poses]]) -> str:
    px, sizes, there, wanted = zip(*(distances(one, other) for one, other in pairs))
    all_px, all_sizes = np.concatenate(px), np.concatenate(sizes)
    if not len(all_px):
        return "-"
    return (
        f"{all_px.mean():5.2f} px mean {np.median(all_px):5.2f} median {np.percentile(all_px, 95):5.1f} p95"
        f"   {all_sizes.mean():.4f} sizes   kept {sum(there) / max(sum(wanted), 1):.3f}"
    )


def held(every: Run, other: Run) -> list[tuple[Poses, Poses]]:
    """Return, for the carried frames of ``other``, the people of the last frame that was not, and the true ones."""
    pairs, last = [], every.poses[0]
    for truth, carried in zip(every.poses, other.carried):
        if carried:
            pairs.append((last, truth))
        else:
            last = truth
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--gaps", nargs="+", default=["4:1", "1:10", "4:10"])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--flow-side", type=int, default=GapConfig().flow_side_px, metavar="PX")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    params = GapConfig(flow_side_px=arguments.flow_side)
    capture = cv2.VideoCapture(str(arguments.video))
    frames = []
    while len(frames) < arguments.frames and (read := capture.read())[0]:
        frames.append(read[1])
    print(f"{arguments.video.name}: {len(frames)} frames of {frames[0].shape[1]}x{frames[0].shape[0]}")
    for model in arguments.models:
        every = run(model, frames, 1, 1, params)
        full_ms = statistics.median(every.ms)
        print(f"\n{model}\n  every frame  {statistics.mean(every.ms):6.2f} ms a frame, {full_ms:.2f} median")
        print(f"  jitter       {compare(list(zip(every.poses[1:], every.poses)))}")
        for gap in arguments.gaps:
            inference_gap, detector_gap = map(int, gap.split(":"))
            if detector_gap > 1 and "+" not in model:
                continue
            other = run(model, frames, inference_gap, detector_gap, params)
            saved = 1 - sum(other.ms) / sum(every.ms)
            print(
                f"  gap {gap:8} {statistics.mean(other.ms):6.2f} ms a frame, {saved:.0%} saved; inferred "
                f"{other.carried.count(False)}, {'detector' if '+' in model else 'network'} {sum(other.detected)}"
            )
            if any(other.carried):
                carried_ms = statistics.median(ms for ms, carried in zip(other.ms, other.carried) if carried)
                print(f"    carried    {carried_ms:6.2f} ms median, 1/{full_ms / carried_ms:.0f} of a full frame")
                print(f"    hold       {compare(held(every, other))}")
            changed = [pair for *pair, whole in zip(other.poses, every.poses, other.detected) if not whole]
            print(f"    distance   {compare(changed)}", flush=True)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
