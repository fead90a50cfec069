"""Line numbers of the keys of a TOML text, which the standard parser does not report."""

from __future__ import annotations

import re
from collections.abc import Mapping

KeyPath = tuple[str, ...]

_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*""")
# Longest quotes first: a triple quote also begins with a single one.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)


def toml_lines(text: str) -> Mapping[KeyPath, int]:
    """Return the 1-based line of every table header and key of ``text``, which must be valid TOML.

    Keys inside an inline table or an array are not listed: their statement's key is.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    at, line = 0, 1
    while at < len(text):
        character = text[at]
        if character == "\n":
            line += 1
            at += 1
        elif character.isspace() or character == "\ufeff":
            at += 1
        elif character == "#":
            at = _line_end(text, at)
        elif character == "[":
            start = at + (2 if text.startswith("[[", at) else 1)
            table, at = _key(text, start)
            lines.setdefault(table, line)
            at = _line_end(text, at)
        else:
            key, at = _key(text, at)
            for depth in range(1, len(key) + 1):
                lines.setdefault(table + key[:depth], line)
            end = _value_end(text, at)
            line += text.count("\n", at, end)
            at = end
    return lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of ``path``, or of the innermost table around it that is written down."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _key(text: str, at: int) -> tuple[KeyPath, int]:
    """Return the dotted key at ``at`` and the position behind it."""
    parts: list[str] = []
    while match := _KEY_PART.match(text, at):
        parts.append(next(group for group in match.groups() if group is not None))
        at = match.end()
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), max(at, 0)


def _value_end(text: str, at: int) -> int:
    """Return where the line that ends the value behind the key at ``at`` ends."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character in "\"'":
            match = _STRING.match(text, at)
            at = match.end() if match else at + 1
            continue
        if character == "#":
            at = _line_end(text, at)
            continue
        if character == "\n" and depth == 0:
            return at
        depth += (character in "[{") - (character in "]}")
        at += 1
    return at
