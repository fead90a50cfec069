"""A file in the making: ``name.part`` beside the file it will become."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

from trt_pose_app.errors import ChecksumError, ModelError
from trt_pose_app.models.checksum import sha256_of_stream

Progress = Callable[[int, "int | None"], None]  # bytes so far, bytes in all or None

_CHUNK_BYTES = 1 << 16
_SPARE_BYTES = 1 << 20  # left free on the disk
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of a part come from: address, strong ETag or date of change, and size of the whole."""

    url: str
    validator: str | None
    total: int | None


class PartFile:
    """The bytes that have come so far, locked against other processes. Opened by ``open_part``.

    Its methods raise ModelError when the disk is full or cannot be written.
    """

    def __init__(self, target: Path, file: BinaryIO) -> None:
        self.target = target
        self._file = file
        self._path = _part_path(target)
        self._origin_path = Path(f"{self._path}.json")

    @property
    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    @property
    def origin(self) -> Origin | None:
        """Where the bytes come from, if that is known; it outlives the process."""
        try:
            data = json.loads(self._origin_path.read_text(encoding="utf-8"))
            origin = Origin(data["url"], data["validator"], data["total"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        well_typed = (
            isinstance(origin.url, str)
            and isinstance(origin.validator, (str, type(None)))
            and isinstance(origin.total, (int, type(None)))
        )
        return origin if well_typed else None

    def begin(self, origin: Origin, *, keep: bool) -> None:
        """Note where the next bytes come from; forget those that are here unless ``keep``. Checks the free space."""
        if not keep:
            self.clear()
        if origin.total is not None:
            self._check_space(origin.total - self.size)
        try:
            self._origin_path.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        except OSError as error:
            _raise_unwritable(error, self._origin_path)

    def append(self, source: Readable, total: int | None, progress: Progress | None) -> None:
        """Add all of ``source``. Raises ConnectionError when it ends before there are ``total`` bytes."""
        received = self.size
        while chunk := source.read(_CHUNK_BYTES):
            rest = memoryview(chunk)
            while rest:  # an unbuffered file may take less than it is given
                try:
                    rest = rest[self._file.write(rest) :]
                except OSError as error:
                    _raise_unwritable(error, self._path)
            received += len(chunk)
            if progress is not None:
                progress(received, total)
        if total is not None and received != total:
            raise ConnectionError(f"the transfer broke off after {received} of {total} bytes")

    def fill(self, source: Readable, total: int, progress: Progress | None) -> None:
        """Take the ``total`` bytes of a local ``source`` in one go; whatever fails or interrupts it leaves nothing."""
        self.begin(Origin("", None, total), keep=False)
        try:
            self.append(source, total, progress)
        except BaseException:
            self.clear()
            raise

    def clear(self) -> None:
        self._file.truncate(0)

    def install(self, sha256: str | None) -> str:
        """Compare the checksum, make the part the target in one step, and return the checksum.

        Raises ChecksumError, after which the part is empty.
        """
        self._file.seek(0)
        actual = sha256_of_stream(self._file)
        if sha256 is not None and actual != sha256:
            self.clear()
            raise ChecksumError(
                f"its sha256 is {actual}, not {sha256}",
                hint="the file is damaged or another version: fetch it elsewhere",
            )
        try:
            os.fsync(self._file.fileno())
            self._path.replace(self.target)
            directory = os.open(self.target.parent, os.O_RDONLY)
            try:
                os.fsync(directory)  # so that the new name survives a power cut
            finally:
                os.close(directory)
        except OSError as error:
            _raise_unwritable(error, self.target)
        self._origin_path.unlink(missing_ok=True)
        return actual

    def is_current(self) -> bool:
        """Return whether the open file still bears the part's name."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def discard_if_empty(self) -> None:
        """Leave nothing behind where there is nothing to resume."""
        if self.size == 0 and self.is_current():
            self._origin_path.unlink(missing_ok=True)
            self._path.unlink()

    def _check_space(self, needed: int) -> None:
        directory = self.target.parent
        free = shutil.disk_usage(directory).free
        if needed + _SPARE_BYTES > free:
            raise ModelError(
                f"{directory} has {free / 1e6:.0f} MB free, {self.target.name} needs {needed / 1e6:.0f} MB more",
                hint="free some space, or name another directory with --to DIRECTORY",
            )


@contextmanager
def open_part(target: Path) -> Iterator[PartFile]:
    """Yield the part of ``target``, locked: a second process waits here until the first is done.

    What an earlier attempt left is kept; an interrupted one leaves it to the next. Raises ModelError.
    """
    path = _part_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = path.open("a+b", buffering=0)
            fcntl.flock(file, fcntl.LOCK_EX)
            part = PartFile(target, file)
            if part.is_current():
                break
            file.close()  # while this process waited, the other finished and renamed the file
    except OSError as error:
        _raise_unwritable(error, target)
    with file:
        try:
            yield part
        finally:
            part.discard_if_empty()


def _part_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _raise_unwritable(error: OSError, path: Path) -> NoReturn:
    reason = "no space is left" if error.errno in _NO_SPACE else error.strerror
    raise ModelError(
        f"cannot write {path}: {reason}",
        hint="free some space and run it again to resume, or name another directory with --to DIRECTORY",
    ) from error
