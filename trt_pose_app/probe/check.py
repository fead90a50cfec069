"""One question about this machine, its answer, and the command that makes it better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """``warn``: something works worse than it could, or a part is missing that not everybody needs. ``fail``: the
    main job cannot be done. ``fix`` is a command to type; only a check that passes may lack one.
    """

    section: str
    name: str
    status: Status
    detail: str
    fix: str = ""
