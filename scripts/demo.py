"""The main job on the shipped sample: `make demo`. Prints every command it runs and what was found.

Writes demo/out.mp4, demo/out.jsonl and demo/out.jpg.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def trt_pose(*arguments: str) -> None:
    """Run one command as a user would type it. Ends the demo with its exit code if it fails."""
    print(f"$ trt-pose {shlex.join(arguments)}", flush=True)
    code = subprocess.run([Path(sys.executable).with_name("trt-pose"), *arguments], cwd=ROOT).returncode
    if code:
        sys.exit(code)


def main() -> None:
    out = ROOT / "demo"
    out.mkdir(exist_ok=True)
    trt_pose("run", "scripts/sample/people.mp4", "demo/out.mp4", "demo/out.jsonl")
    trt_pose("run", "scripts/sample/people.jpg", "demo/out.jpg")

    messages = [json.loads(line) for line in (out / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    counts = [len(message["people"]) for message in messages]
    keypoints = [sum(s > 0 for s in p["keypoints"][2::3]) for m in messages for p in m["people"]]
    latency = sorted(m["latency_ms"]["infer"] + m["latency_ms"]["decode"] for m in messages)[len(messages) // 2]
    print()
    print(f"{len(messages)} frames: {min(counts)} to {max(counts)} people a frame, {sum(counts)} in all,")
    each = sum(keypoints) / max(1, len(keypoints))
    print(f"{each:.1f} keypoints each, {latency:.1f} ms a frame for network and decoding")
    print("look at  demo/out.jpg  demo/out.mp4   and at the keypoints in  demo/out.jsonl")
    if not any(counts):
        sys.exit("nobody was found: that is a bug, please report it")


if __name__ == "__main__":
    main()
