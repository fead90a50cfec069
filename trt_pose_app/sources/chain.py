"""Several finite sources, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trt_pose_app.errors import ConfigError
from trt_pose_app.sources.iteration import FrameIteration
from trt_pose_app.sources.protocol import Source, SourceInfo
from trt_pose_app.types import Frame


class ChainSource(FrameIteration):
    """Reads each of ``sources`` to its end; frames are numbered through.

    Raises ConfigError for a live source, which never ends, and what the sources raise.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        for source in sources:
            if source.info.live:
                raise ConfigError(f"{source.info.name} is live and never ends", hint="use `trt-pose run` for cameras")
        self._sources = sources
        self._rest = iter(sources)
        self._current = next(self._rest, None)
        self._index = 0
        counts = [source.info.frames for source in sources]
        name = sources[0].info.name if len(sources) == 1 else f"{len(sources)} sources"
        frames = None if None in counts else sum(count or 0 for count in counts)
        self.info = SourceInfo(name, 0, 0, None, live=False, seekable=False, frames=frames)
        self.dropped = 0

    @property
    def skipped(self) -> int:
        """Damaged frames of all sources so far."""
        return sum(source.skipped for source in self._sources)

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame of the chain, or None at its end."""
        while self._current is not None:
            frame = self._current.read(timeout_s)
            if frame is not None:
                self._index += 1
                return replace(frame, index=self._index - 1)
            self._current.close()
            self._current = next(self._rest, None)
        return None

    def close(self) -> None:
        """Close all sources. Idempotent."""
        for source in self._sources:
            source.close()
