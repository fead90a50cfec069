"""Pose messages as JSON lines: into a file, or on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from trt_pose_app.message import RunInfo, encode, pose_message
from trt_pose_app.sinks.lines import LineFile, write_all
from trt_pose_app.sinks.protocol import StopRun
from trt_pose_app.sinks.target import write_error
from trt_pose_app.types import Frame, Poses, Timings


class JsonlSink:
    """Writes one message per line and frame to a file."""

    def __init__(self, path: Path, run: RunInfo) -> None:
        self._run = run
        self._file = LineFile(path)

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        self._file.write(encode(pose_message(self._run, frame, poses, timings)) + "\n")

    def close(self) -> None:
        self._file.close()


class StdoutSink:
    """Writes one message per line and frame to stdout, at once. A reader that goes away ends the run."""

    def __init__(self, run: RunInfo) -> None:
        self._run = run

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        line = encode(pose_message(self._run, frame, poses, timings)) + "\n"
        try:
            # Past Python's own buffer, which would try once more, and complain, when the interpreter ends.
            write_all(sys.stdout.fileno(), line.encode())
        except BrokenPipeError as error:
            raise StopRun from error
        except OSError as error:
            raise write_error(Path("stdout"), error) from error

    def close(self) -> None:
        pass
