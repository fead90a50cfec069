"""LineFile: lines on disk that survive whatever ends the program."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from threading import Lock

from trt_pose_app.sinks.target import part_of, write_error


class LineFile:
    """Appends lines to ``path``, each with one system call, so that a killed program leaves only whole lines.

    An older file of that name is replaced when the first line is on disk and not before: a run that fails to start
    destroys nothing. A full disk raises SinkError and leaves whole lines too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # through a link to the file it names
        self._file: FileIO | None = None
        self._end = 0
        self._lock = Lock()

    def write(self, lines: str) -> None:
        """Append text that ends in a newline. Raises SinkError."""
        data = lines.encode()
        with self._lock:
            try:
                if self._file is None:
                    self._begin(data)
                else:
                    self._append(self._file, data)
            except OSError as error:
                raise write_error(self._path, error) from error

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()

    def _begin(self, data: bytes) -> None:
        part = part_of(self._path)
        part.unlink(missing_ok=True)
        file = FileIO(part, "a")  # O_APPEND: after a truncation the next line lands at the end
        try:
            self._append(file, data)
            part.replace(self._path)
        except OSError:
            file.close()
            part.unlink(missing_ok=True)
            raise
        self._file = file

    def _append(self, file: FileIO, data: bytes) -> None:
        try:
            write_all(file.fileno(), data)
        except OSError:
            file.truncate(self._end)
            raise
        self._end += len(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``: a nearly full disk or a pipe may take less at a time. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
