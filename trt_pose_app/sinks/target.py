"""The files that results go to: checked before a run, and never replaced by nothing."""

from __future__ import annotations

import errno
import shlex
import tempfile
from pathlib import Path

from trt_pose_app.errors import ConfigError, SinkError


def check_target(path: Path) -> None:
    """Raise ConfigError unless a file can be written at ``path``. Creates nothing that stays."""
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is there and no plain file", hint="name another file, or - for stdout")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Raise ConfigError unless files can be made in ``folder``. Creates nothing that stays."""
    if not folder.is_dir():
        raise ConfigError(f"no such directory: {folder}", hint=f"mkdir -p {shlex.quote(str(folder))}")
    try:
        # Trying is the only sure test: permissions, read-only mounts, quotas and full disks all show here.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".trt-pose-"):
            pass
    except OSError as error:
        raise ConfigError(
            f"cannot write in {folder}: {error.strerror}", hint="check its permissions and free space"
        ) from error


def check_not_source(path: Path, source: str) -> None:
    """Raise ConfigError if writing ``path`` would destroy the file that frames are read from."""
    try:
        same = path.samefile(source)
    except (OSError, ValueError):  # either is no file: a camera, an address, a result not there yet
        return
    if same:
        raise ConfigError(f"{path} is the source itself", hint="name another file for the result")


def part_of(path: Path) -> Path:
    """Return where a result is written until it may take its name: beside it, so that a rename is atomic."""
    return path.with_name(path.name + ".part")


def write_error(path: Path, error: OSError) -> SinkError:
    """Return the SinkError for a failed write."""
    reason = error.strerror or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space on that disk"
    else:
        hint = "check the disk, its permissions and whether it is still mounted"
    return SinkError(f"cannot write {path}: {reason}", hint=hint)
