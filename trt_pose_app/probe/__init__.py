"""Facts about this machine, gathered without touching it. Nothing here raises: what cannot be known is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trt_pose_app import __version__
from trt_pose_app.probe.board import Board, Memory, probe_board, probe_memory
from trt_pose_app.probe.interpreter import Interpreter, probe_interpreter
from trt_pose_app.probe.packages import Imported, probe_imports, probe_versions
from trt_pose_app.probe.power import Power, probe_power

__all__ = ["Facts", "probe"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about this machine. ``imports`` are by module, ``versions`` by package name."""

    version: str
    board: Board
    memory: Memory
    power: Power
    interpreter: Interpreter
    imports: Mapping[str, Imported]
    versions: Mapping[str, str | None]
    argus: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, texts and numbers, ready for JSON."""
        return asdict(self)


def probe(root: Path = Path("/"), *, cache: Path | None = None, timeout_s: float = 15.0) -> Facts:
    """Return the facts. ``cache`` is where models are kept, for the free disk space there."""
    return Facts(
        version=__version__,
        board=probe_board(root),
        memory=probe_memory(root, cache),
        power=probe_power(root),
        interpreter=probe_interpreter(root),
        imports=probe_imports(timeout_s=timeout_s),
        versions=probe_versions(),
        argus=(root / "tmp/argus_socket").exists(),
    )
