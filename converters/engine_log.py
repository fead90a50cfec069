"""What TensorRT and polygraphy say during a build: progress for the one who waits, errors for the exception."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from typing_extensions import Self

Told = Callable[[str], None]  # takes a line on how far the build is

log = logging.getLogger(__name__)


class EngineLog(logging.Handler):
    """For the time of a ``with`` block polygraphy, which else prints to stdout, speaks here. ``errors`` keeps its."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Polygraphy puts "[E] " before its lines.
        text = record.getMessage().strip().removeprefix("[E] ").removeprefix("[!] ")
        if record.levelno >= logging.ERROR:
            self.errors.append(text)
        log.log(logging.INFO if record.levelno == logging.WARNING else logging.DEBUG, "%s", text)

    def __enter__(self) -> Self:
        from polygraphy.logger import G_LOGGER

        G_LOGGER.use_python_logging_system = True
        G_LOGGER.colors = False  # with colours it prints to stdout that it lacks a package for them
        logger = logging.getLogger("Polygraphy")
        self._before = logger.propagate, logger.level
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from polygraphy.logger import G_LOGGER

        G_LOGGER.use_python_logging_system = False
        logger = logging.getLogger("Polygraphy")
        logger.removeHandler(self)
        logger.propagate, level = self._before
        logger.setLevel(level)


def progress_monitor(tensorrt: ModuleType, tell: Told) -> Any:
    """Return a tensorrt.IProgressMonitor that tells each step, or None where TensorRT has none (before 10).

    Its attribute ``interrupted`` is set by Ctrl-C, which ends the build at the next step.
    """
    if not hasattr(tensorrt, "IProgressMonitor"):
        return None

    class Monitor(tensorrt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            tensorrt.IProgressMonitor.__init__(self)
            self.interrupted = False
            self._steps: dict[str, int] = {}
            self._lock = threading.Lock()  # TensorRT calls from several threads

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            # No exception may leave into TensorRT, which would end the process; False asks it to stop.
            try:
                with self._lock:
                    tell(f"{phase_name}: {step + 1} of {self._steps.get(phase_name, step + 1)}")
            except KeyboardInterrupt:
                self.interrupted = True
            return not self.interrupted

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                self._steps.pop(phase_name, None)

    return Monitor()
