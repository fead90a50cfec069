"""Compare an engine with the network it was built from, on this machine: JSON on stdout, exit code 1 if they differ.

    python scripts/engine_parity.py model.onnx model-fp16.engine [--frames 8] [--pictures FOLDER]

The source runs on the CPU with ONNX Runtime. `trt-pose convert` makes the same comparison before it builds, on ONNX
Runtime alone; this one says what TensorRT made of it.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from converters.frames import calibration_frames
from converters.parity import compare_sides
from converters.parity_side import Side
from trt_pose_app.engines.open import open_engine
from trt_pose_app.models.bundle import read_bundle


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("engine", type=Path)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    source, result = read_bundle(options.source), read_bundle(options.engine)
    with ExitStack() as stack:
        on_cpu = stack.enter_context(open_engine(source, backend="cpu"))
        built = stack.enter_context(open_engine(result))
        sides = [Side(source.label, source.spec, on_cpu), Side(result.label, result.spec, built)]
        report = compare_sides(sides[0], sides[1], calibration_frames(options.pictures, options.frames))
    print(json.dumps(report.to_dict(), indent=2))
    return 0 if report.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
