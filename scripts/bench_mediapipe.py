"""What one person costs per frame: this package's ``mp.solutions.pose`` beside MediaPipe's own, in the same run.

    python scripts/bench_mediapipe.py VIDEO --mediapipe VENV/bin/python [--model NAME ...]

with mediapipe 0.10.21 in an environment of its own. Both sides track (``static_image_mode=False``) and get the same
frames, 640x480 RGB, in turns of ``--turn`` frames; what is counted is the CPU time of the process inside ``process``,
all its threads together. ONNX Runtime and OpenCV get one thread. MediaPipe has one thread for its networks and no
option for fewer or more. Frames in which a side saw nobody
are counted apart: there it runs its detector alone.
"""

from __future__ import annotations

import argparse
import statistics
import struct
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (640, 480)
WARM_UP = 10  # frames not counted


def frames(video: Path, first: int, count: int) -> list[np.ndarray]:
    """Return ``count`` frames from ``first`` on, 640x480 RGB."""
    capture = cv2.VideoCapture(str(video))
    read = (capture.read()[1] for _ in range(first + count))
    return [cv2.cvtColor(cv2.resize(f, SIZE), cv2.COLOR_BGR2RGB) for f in islice(read, first, None) if f is not None]


class Here:
    """The facade in this process."""

    def __init__(self, model: str) -> None:
        from trt_pose_app.compat import mediapipe as mp
        from trt_pose_app.config.schema import ModelConfig

        self.pose = mp.solutions.pose.Pose(model=model, config=ModelConfig(threads=1, backend="cpu"))

    def __call__(self, image: np.ndarray) -> tuple[float, bool]:
        """Return CPU milliseconds, and whether somebody was seen."""
        return timed(self.pose, image)


class There:
    """MediaPipe in another interpreter, fed through a pipe."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, __file__, "-", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __call__(self, image: np.ndarray) -> tuple[float, bool]:
        """Return CPU milliseconds, and whether somebody was seen."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(image.tobytes())
        self._process.stdin.flush()
        answer = self._process.stdout.read(struct.calcsize("d?"))
        if not answer:
            raise SystemExit("mediapipe ended early")
        spent_ms, found = struct.unpack("d?", answer)
        return spent_ms, found

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(10)


def serve() -> None:
    """Answer each picture on stdin with MediaPipe's CPU milliseconds."""
    import mediapipe as mp

    cv2.setNumThreads(1)
    pose = mp.solutions.pose.Pose()
    while data := sys.stdin.buffer.read(SIZE[0] * SIZE[1] * 3):
        spent_ms, found = timed(pose, np.frombuffer(data, np.uint8).reshape(SIZE[1], SIZE[0], 3))
        sys.stdout.buffer.write(struct.pack("d?", spent_ms, found))
        sys.stdout.buffer.flush()


def timed(pose: Any, image: np.ndarray) -> tuple[float, bool]:
    start = time.process_time()
    found = bool(pose.process(image).pose_landmarks)
    return (time.process_time() - start) * 1e3, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--mediapipe", metavar="PYTHON")
    parser.add_argument("--model", nargs="+", default=["rtmdet-nano-person+tinypose-256x192"])
    parser.add_argument("--first", type=int, default=0, help="frame to begin with")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--turn", type=int, default=10, help="frames that one side does before the other does them")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    cv2.setNumThreads(1)
    video = frames(arguments.video, arguments.first, arguments.frames)
    sides: dict[str, Here | There] = {model: Here(model) for model in arguments.model}
    if arguments.mediapipe:
        sides["mediapipe 0.10.21"] = There(arguments.mediapipe)
    spent: dict[str, list[tuple[float, bool]]] = {name: [] for name in sides}
    for start in range(0, len(video), arguments.turn):
        for name, side in sides.items():
            spent[name] += [side(image) for image in video[start : start + arguments.turn]]
    everybody = [all(side[i][1] for side in spent.values()) for i in range(len(video))]
    counted = [i for i in range(WARM_UP, len(video)) if everybody[i]]
    print(f"{len(video)} frames, {len(counted)} counted in which all sides saw somebody")
    print(f"{'CPU ms per frame':42} median    mean     p90   nobody  frames with somebody")
    for name, times in spent.items():
        seen = [times[i][0] for i in counted]
        nobody = statistics.median([ms for ms, found in times[WARM_UP:] if not found] or [float("nan")])
        print(
            f"{name:42} {statistics.median(seen):6.2f}  {statistics.mean(seen):6.2f}  "
            f"{statistics.quantiles(seen, n=10)[-1]:6.2f}   {nobody:6.2f}  {sum(found for _, found in times):4}"
        )
    for side in sides.values():
        if isinstance(side, There):
            side.close()
    return None


if __name__ == "__main__":
    main()
