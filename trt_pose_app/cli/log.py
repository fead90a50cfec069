"""The log on stderr: one line of text, or one JSON object, per record, and never a credential."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from datetime import datetime, timezone
from typing import Literal

from trt_pose_app.config.secret import mask_credentials

# Other libraries speak up from here on; their chatter below it helps nobody to run a camera.
_FOREIGN_LEVEL = logging.WARNING
_OWN_LOGGERS = ("trt_pose_app", "converters")
_COLOURS = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_PLAIN = "\x1b[0m"


def set_up_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["text", "json"] = "text",  # noqa: A002 (the configuration's name for it)
) -> None:
    """Send this process's log to stderr; calling it again replaces the settings.

    Python warnings come the same way, so that a JSON log holds nothing but JSON. Text has colours on a terminal
    unless NO_COLOR is set.
    """
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    handler = _StderrHandler()
    handler.setFormatter(_JsonFormatter() if format == "json" else _TextFormatter(colours=colours))
    number = getattr(logging, level.upper())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(number, _FOREIGN_LEVEL))
    for name in _OWN_LOGGERS:
        logging.getLogger(name).setLevel(number)
    logging.captureWarnings(True)


class _StderrHandler(logging.Handler):
    """Writes to what sys.stderr is at that moment, so that a status line may stand in front of it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except (TypeError, ValueError, KeyError):
            # Python's own way out prints the arguments, and with them what must not be shown.
            line = f"a log record of {record.name}, line {record.lineno}, does not fit its arguments"
        with contextlib.suppress(OSError, ValueError):  # stderr is gone: a log must not end the run
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


class _TextFormatter(logging.Formatter):
    """``12:34:56.789 warning sources.rtsp: no frame for 4 s`` in local time; a traceback on lines below."""

    default_time_format = "%H:%M:%S"
    default_msec_format = "%s.%03d"

    def __init__(self, *, colours: bool) -> None:
        super().__init__("%(asctime)s %(severity)s %(place)s: %(message)s")
        self._colours = _COLOURS if colours else {}

    def format(self, record: logging.LogRecord) -> str:
        severity = record.levelname.lower()
        record.severity = f"{severity:7}"
        record.place = record.name.removeprefix("trt_pose_app.")
        text = mask_credentials(super().format(record))
        colour = self._colours.get(severity)
        return f"{colour}{text}{_PLAIN}" if colour else text


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": mask_credentials(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = mask_credentials(self.formatException(record.exc_info))
        return json.dumps(entry)
