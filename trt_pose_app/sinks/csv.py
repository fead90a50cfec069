"""People as rows of a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from trt_pose_app.message import RunInfo, timestamp
from trt_pose_app.sinks.lines import LineFile
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses, Timings

_LEADING = ("frame", "source", "ts", "pts_s", "person", "id", "score", "x", "y", "w", "h")


class CsvSink:
    """Writes a header, then one row per person and frame; what is missing is an empty cell."""

    def __init__(self, path: Path, run: RunInfo) -> None:
        self._file = LineFile(path)
        self._header: tuple[str, ...] | None = columns(run.skeleton)

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        if self._header:
            table.writerow(self._header)
        pts_s = "" if frame.pts_s is None else round(frame.pts_s, 6)
        where = (frame.index, frame.source, timestamp(frame.wall_s), pts_s)
        for i, person in enumerate(poses.to_dict()):
            cells = person["keypoints"]
            for k in range(0, len(cells), 3):
                if cells[k + 2] == 0:
                    cells[k : k + 3] = ("", "", "")
            table.writerow((*where, i, person.get("id", ""), person["score"], *person["bbox"], *cells))
        if text.tell():
            self._file.write(text.getvalue())
            self._header = None

    def close(self) -> None:
        self._file.close()


def columns(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the header: frame, person and box, then x, y and score of each part."""
    return (*_LEADING, *(f"{part}_{value}" for part in skeleton.parts for value in ("x", "y", "score")))
