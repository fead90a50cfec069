"""Which source reads a path: a picture, a folder or glob of pictures, or a video."""

from __future__ import annotations

import glob
import os
import shlex
from difflib import get_close_matches
from pathlib import Path

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.errors import ConfigError
from trt_pose_app.sources.images import IMAGE_SUFFIXES, ImageSource, SingleImageSource
from trt_pose_app.sources.natural import natural_key
from trt_pose_app.sources.protocol import Source


def open_path(text: str, config: SourceConfig) -> Source:
    """Open a file, a folder of pictures or a glob pattern. Raises ConfigError, SourceUnavailableError."""
    path = Path(text).expanduser()
    if path.is_dir():
        return ImageSource(_pictures_in(path), str(path), loop=config.loop)
    if not path.exists():
        if glob.has_magic(text):
            return ImageSource(_matching(str(path)), text, loop=config.loop)
        raise ConfigError(f"no such file: {text}", hint=_near(path))
    if not os.access(path, os.R_OK):
        raise ConfigError(f"{path} may not be read", hint=f"chmod a+r {shlex.quote(str(path))}, or run as its owner")
    if path.stat().st_size == 0:
        raise ConfigError(f"{path} is empty", hint="get the file again")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return SingleImageSource(path, loop=config.loop)
    from trt_pose_app.sources.video import VideoSource

    return VideoSource(path, loop=config.loop)


def _pictures_in(folder: Path) -> list[Path]:
    try:
        found = sorted((p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
    except OSError as error:
        raise ConfigError(f"cannot list {folder}: {error.strerror}", hint="check its permissions") from error
    if not found:
        raise ConfigError(f"{folder} holds no pictures", hint=f"pictures end in {', '.join(IMAGE_SUFFIXES)}")
    return found


def _matching(pattern: str) -> list[Path]:
    matches = (Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns too
    found = sorted((p for p in matches if p.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
    if not found:
        raise ConfigError(f"no picture matches {pattern}", hint="try `ls` with the same pattern")
    return found


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    # By the stem: a suffix in common would make any two videos alike.
    try:
        there = list(path.parent.iterdir())
    except OSError:
        there = []
    stems = get_close_matches(path.stem, [p.stem for p in there], n=1, cutoff=0.75)
    close = get_close_matches(path.name, [p.name for p in there if p.stem in stems], n=1, cutoff=0)
    return f"did you mean {path.parent / close[0]}?" if close else "check the path; cameras: see `trt-pose cameras`"
