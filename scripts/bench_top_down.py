"""What a top-down pose network costs per frame beside its bare runs, and the same with rtmlib in the same run.

    python scripts/bench_top_down.py POSE.onnx [--people 1 5 10] [--rtmlib VENV/bin/python]

POSE is an RTMPose (kind simcc) with its spec. One thread, CPU time of the process. Boxes lie at fixed places of a
640x480 picture; both sides get the same ones. ``network`` is the time inside the engine, ``around`` everything else:
crops, normalisation, decoding, coordinates. With --rtmlib (rtmlib 0.0.16 and onnxruntime in an environment of its own)
the two take turns, round by round, and the last column is the ratio of their medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

PADDING_ROUNDS = 3  # not counted: caches, page faults, a first run of each batch size


def scene(n_people: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a 640x480 picture and (N, 4) boxes in it."""
    rng = np.random.default_rng(n_people)
    image = cv2.GaussianBlur(rng.integers(0, 256, (480, 640, 3), np.uint8), (7, 7), 0)
    left, top = rng.uniform(0, 440, n_people), rng.uniform(0, 180, n_people)
    return image, np.stack([left, top, left + rng.uniform(60, 200, n_people), top + rng.uniform(120, 300, n_people)], 1)


class Ours:
    """This package, with a clock around its engine."""

    def __init__(self, pose: Path) -> None:
        from trt_pose_app.config.schema import ModelConfig
        from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
        from trt_pose_app.estimators import build_keypoint_decoder
        from trt_pose_app.estimators.crop import Cropper
        from trt_pose_app.estimators.pose_network import PoseNetwork
        from trt_pose_app.estimators.top_down import PeopleParams, TopDown
        from trt_pose_app.models.bundle import read_bundle

        bundle = read_bundle(pose)
        engine = OnnxRuntimeEngine(bundle.path, backend="cpu", threads=1)
        self.network_s = 0.0
        infer = engine.infer

        def timed(feeds: Any) -> Any:
            start = time.process_time()
            try:
                return infer(feeds)
            finally:
                self.network_s += time.process_time() - start

        engine.infer = timed  # type: ignore[method-assign]
        network = PoseNetwork(
            bundle.spec,
            engine,
            Cropper(bundle.spec.input),
            build_keypoint_decoder(bundle.spec),
            max_batch=ModelConfig().max_batch,
        )
        self._estimator = TopDown(None, network, PeopleParams())  # type: ignore[arg-type]  # boxes are given

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> tuple[float, float]:
        """Return CPU milliseconds in all and inside the network, for one frame."""
        self.network_s = 0.0
        start = time.process_time()
        self._estimator.select(self._estimator.poses_in_boxes(image, boxes))
        return (time.process_time() - start) * 1e3, self.network_s * 1e3


class Rtmlib:
    """rtmlib in another interpreter, fed through a pipe."""

    def __init__(self, python: str, pose: Path) -> None:
        self._process = subprocess.Popen(
            [python, __file__, str(pose), "--serve-rtmlib"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, n_people: int) -> tuple[float, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{n_people}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                return answer["all"], answer["network"]
        raise SystemExit("rtmlib ended early")

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(10)


def serve_rtmlib(pose: Path) -> None:
    """Answer each number of people on stdin with rtmlib's CPU milliseconds."""
    import onnxruntime
    from rtmlib import RTMPose

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession
    onnxruntime.InferenceSession = lambda path_or_bytes, providers: session(path_or_bytes, options, providers)
    cv2.setNumThreads(1)
    model = RTMPose(str(pose), backend="onnxruntime", device="cpu")
    spent_s = 0.0
    inference = model.inference

    def timed(image: Any) -> Any:
        nonlocal spent_s
        start = time.process_time()
        try:
            return inference(image)
        finally:
            spent_s += time.process_time() - start

    model.inference = timed
    for line in sys.stdin:
        image, boxes = scene(int(line))
        spent_s = 0.0
        start = time.process_time()
        model(image, boxes.tolist())
        spent = {"all": (time.process_time() - start) * 1e3, "network": spent_s * 1e3}
        print(json.dumps(spent), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pose", type=Path)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--rtmlib", metavar="PYTHON")
    parser.add_argument("--serve-rtmlib", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_rtmlib:
        return serve_rtmlib(arguments.pose)
    cv2.setNumThreads(1)
    ours = Ours(arguments.pose)
    theirs = Rtmlib(arguments.rtmlib, arguments.pose) if arguments.rtmlib else None
    print(
        "people  ours: all  network  around/person" + ("   rtmlib: all  network  around/person   ratio" * bool(theirs))
    )
    for n_people in arguments.people:
        image, boxes = scene(n_people)
        mine, other = [], []
        for number in range(PADDING_ROUNDS + arguments.rounds):
            one = ours(image, boxes), theirs(n_people) if theirs else (0.0, 0.0)
            if number >= PADDING_ROUNDS:
                mine.append(one[0])
                other.append(one[1])
        row, per_person = medians(mine, n_people)
        text = f"{n_people:6}  {row[0]:6.2f} ms  {row[1]:6.2f} ms  {per_person:8.3f} ms"
        if theirs:
            their_row, their_person = medians(other, n_people)
            text += f"       {their_row[0]:6.2f} ms  {their_row[1]:6.2f} ms  {their_person:8.3f} ms"
            text += f"   {row[0] / their_row[0]:.3f} ({per_person / their_person:.3f} around)"
        print(text, flush=True)
    if theirs:
        theirs.close()
    return None


def medians(times: list[tuple[float, float]], n_people: int) -> tuple[tuple[float, float], float]:
    """Return the medians of all and network, and of what lies around the network, per person."""
    around = statistics.median(everything - network for everything, network in times)
    return (statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)), around / n_people


if __name__ == "__main__":
    main()
