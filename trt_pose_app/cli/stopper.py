"""Signals that end a run in order."""

from __future__ import annotations

import os
import signal

from trt_pose_app.pipeline import Pipeline


class Stopper:
    """Turns SIGTERM, SIGINT and SIGHUP (a lost terminal) into an orderly end; a second one ends the process at once.

    Made before the model loads, so that a signal in those seconds counts too. ``asked`` says whether one came.
    """

    def __init__(self) -> None:
        self.asked = False
        self._pipeline: Pipeline | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup and shells in the background mean it
                signal.signal(number, self._on_signal)

    def attach(self, pipeline: Pipeline) -> None:
        """Stop this pipeline when a signal comes, at once if one has come."""
        self._pipeline = pipeline
        if self.asked:
            pipeline.stop()

    def _on_signal(self, number: int, _frame: object) -> None:
        if self.asked:
            os._exit(128 + number)  # whatever hangs, hangs no more
        self.asked = True
        if self._pipeline is not None:
            self._pipeline.stop()
