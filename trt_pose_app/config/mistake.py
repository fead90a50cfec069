"""One thing that is wrong in a configuration, said so that it can be put right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches

from trt_pose_app.config.field import fields, sections


@dataclass(frozen=True, slots=True)
class Mistake:
    """``where`` is a ``PATH:LINE``, an environment variable or an option; ``text`` holds no credentials.

    ``unknown_name``: there is no such field or section.
    """

    where: str
    text: str
    unknown_name: bool = False

    @property
    def line(self) -> float:
        """Line in the file, or infinity for a mistake that is in no file."""
        line = self.where.rpartition(":")[2]
        return int(line) if line.isdecimal() else math.inf

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def unknown(name: str) -> str:
    """Return the text for a dotted ``name`` that is no field, with the field that was probably meant."""
    section, _, key = name.rpartition(".")
    guess: list[str] = []
    if section in sections():
        inside = {field.name: field for field in fields().values() if field.section == section}
        guess = [f"{section}.{near}" for near in get_close_matches(key, [n.rpartition(".")[2] for n in inside])]
        guess += [other for other in fields() if other.rpartition(".")[2] == key]
    else:
        guess = [other for other in fields() if other.rpartition(".")[2] == key]
        if near := get_close_matches(section or key, sections(), n=1):
            meant = f"{near[0]}.{key}" if section else near[0]
            guess = [meant, *guess] if not section or meant in fields() else [*guess, near[0]]
        guess += get_close_matches(name, fields(), n=1)
    if guess:
        return f"{name}: no such field or section; did you mean {guess[0]}?"
    known = [f.name for f in fields().values() if f.section == section] if section in sections() else [*sections()]
    return f"{name}: no such field or section; known here: {', '.join(known)}"
