"""File names in the order that people count in."""

from __future__ import annotations

import re
from pathlib import Path


def natural_key(path: Path) -> tuple[tuple[int, str], ...]:
    """Return a sort key under which ``frame2`` comes before ``frame10``."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name))
