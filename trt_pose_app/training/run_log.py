"""What a run measured, as CSV and, where tensorboardX is installed, for TensorBoard."""

from __future__ import annotations

import csv
import logging
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
# Column of the CSV -> name in TensorBoard, where a slash makes groups.
_COLUMNS = {
    "loss": "loss/all",
    "loss_cmap": "loss/confidence_maps",
    "loss_paf": "loss/affinity_fields",
    "loss_teacher": "loss/teacher",
    "loss_entropy": "loss/cross_entropy",
    "loss_distance": "loss/distance",
    "learning_rate": "schedule/learning_rate",
    "samples_per_s": "schedule/samples_per_s",
    "pck": "validation/pck",
    "ap": "validation/ap",
    "ap50": "validation/ap50",
    "pck_before": "validation/pck_before",
}


class RunLog:
    """``log.csv`` and event files in a run's folder.

    A run that is continued at ``step`` loses the rows after it, which are about to be written again; columns that an
    older log lacks stay empty in its rows.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "log.csv"
        if self._path.exists():
            self._rewrite(step)
        self._events = _event_writer(folder, step)
        self._restart()

    def learnt(self, losses: Mapping[str, float], n_samples: int) -> None:
        """Count the losses of one step, which had ``n_samples`` samples."""
        for name, loss in losses.items():
            self._sums[name] += loss
        self._n_steps += 1
        self._n_samples += n_samples
        self._learnt_s = time.monotonic()

    def write(self, step: int, learning_rate: float, quality: Mapping[str, float] | None) -> None:
        """Add a row: mean losses and speed since the last one (validation is no part of that time)."""
        known = {name: total / self._n_steps for name, total in self._sums.items()}
        known |= {"learning_rate": learning_rate, "samples_per_s": self._n_samples / (self._learnt_s - self._since_s)}
        known |= {} if quality is None else {name: v for name, v in quality.items() if not math.isnan(v)}
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = _csv_writer(file)
            if new:
                writer.writeheader()
            writer.writerow({"step": step} | {name: f"{value:.6g}" for name, value in known.items()})
        if self._events is not None:
            for name, value in known.items():
                self._events.add_scalar(_COLUMNS[name], value, step)
        self._restart()

    def close(self) -> None:
        """Write out what TensorBoard's files still lack."""
        if self._events is not None:
            self._events.close()

    def _restart(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._n_steps = self._n_samples = 0
        self._since_s = self._learnt_s = time.monotonic()

    def _rewrite(self, step: int) -> None:
        with self._path.open(newline="", encoding="utf-8") as file:
            # The last row may be cut short by a kill.
            rows = [row for row in csv.DictReader(file) if (row["step"] or "").isdigit() and int(row["step"]) <= step]
        partial = self._path.with_suffix(".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = _csv_writer(file)
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self._path)


def _csv_writer(file: Any) -> csv.DictWriter[str]:
    return csv.DictWriter(file, ("step", *_COLUMNS), extrasaction="ignore", restval="")


def _event_writer(folder: Path, step: int) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        _LOG.info("no files for TensorBoard, only log.csv: pip install tensorboardX for both")
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None, flush_secs=20)
