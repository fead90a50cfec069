"""One place that configuration values come from: a file, the environment, ``--set`` or the flags of a verb."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trt_pose_app.config.field import fields, sections
from trt_pose_app.config.mistake import Mistake, unknown
from trt_pose_app.config.secret import mask_credentials, masked
from trt_pose_app.config.toml_lines import line_of, toml_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENV_PREFIX = "TRT_POSE__"


@dataclass(frozen=True, slots=True)
class Value:
    """A value as given, before validation, and its origin, such as ``file pose.toml:3``. ``reset``: use the default."""

    raw: Any
    origin: str
    reset: bool = False

    @property
    def where(self) -> str:
        return place(self.origin)


@dataclass(frozen=True, slots=True)
class Layer:
    """Values under dotted names that are all fields, and what was wrong with the rest."""

    values: dict[str, Value] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, name: str, value: Value) -> None:
        if name in fields():
            self.values[name] = value
        elif name in sections():
            self.mistakes.append(Mistake(value.where, f"{name} is a section: name one of its fields"))
        else:
            self.mistakes.append(Mistake(value.where, unknown(masked(name)), unknown_name=True))


def place(origin: str) -> str:
    """Return an origin as it begins a mistake: ``file pose.toml:3`` -> ``pose.toml:3``."""
    return origin.partition(" ")[2] or origin


def from_file(path: Path) -> Layer:
    """Read a TOML file; a file that cannot be read or is not TOML is one mistake."""
    layer = Layer()
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        layer.mistakes.append(Mistake(str(path), f"cannot be read: {error.strerror}"))
        return layer
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        layer.mistakes.append(Mistake(f"{path}:{line}", "is not UTF-8 text"))
        return layer
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also an endless number or nesting
        layer.mistakes.append(_syntax_mistake(path, text, str(error)))
        return layer
    lines = toml_lines(text)

    def origin(*key: str) -> str:
        return f"file {path}:{line_of(lines, key) or 1}"

    for section, content in data.items():
        if section not in sections():
            layer.add(section, Value(content, origin(section)))
        elif isinstance(content, dict):
            for key, raw in content.items():
                layer.add(f"{section}.{key}", Value(raw, origin(section, key)))
        else:
            shape = "twice or more" if isinstance(content, list) else f"as {_short(content)}"
            text = f"{section} is a section, given {shape}: write [{section}] once and its fields below"
            layer.mistakes.append(Mistake(place(origin(section)), text))
    return layer


def from_env(env: Mapping[str, str]) -> Layer:
    """Take the variables TRT_POSE__SECTION__FIELD out of ``env``."""
    pairs = ((name, text) for name, text in sorted(env.items()) if name.startswith(ENV_PREFIX))
    return _from_texts((_dotted(name), text, f"env {name}") for name, text in pairs)


def from_sets(sets: Sequence[str]) -> Layer:
    """Take texts ``section.field=value``; a later one wins."""
    layer = Layer()
    broken = [text for text in sets if "=" not in text]
    layer.mistakes.extend(Mistake("--set", f"{masked(text)}: write section.field=value") for text in broken)
    pairs = (text.partition("=") for text in sets if "=" in text)
    given = _from_texts((name.strip(), text, "--set") for name, _, text in pairs)
    return Layer(given.values, layer.mistakes + given.mistakes)


def from_flags(flags: Mapping[str, tuple[str, object]]) -> Layer:
    """Take dotted name -> (flag, value); None means that the flag was not given."""
    layer = Layer()
    for name, (flag, raw) in flags.items():
        if raw is not None:
            layer.add(name, Value(raw, f"flag {flag}"))
    return layer


def _dotted(variable: str) -> str:
    return variable[len(ENV_PREFIX) :].lower().replace("__", ".")


def _from_texts(triples: Iterator[tuple[str, str, str]]) -> Layer:
    layer = Layer()
    for name, text, origin in triples:
        layer.add(name, Value(_parsed(name, text), origin, reset=not text))
    return layer


def _parsed(name: str, text: str) -> Any:
    """Return ``text`` as a TOML value where the field ``name`` takes that, else as plain text: id=42 is a name."""
    try:
        value = tomllib.loads(f"value = {text}") if "\n" not in text else {}
    except (ValueError, RecursionError):
        return text
    known = fields().get(name)
    if value.keys() != {"value"} or (known is not None and not known.accepts(value["value"]) and known.accepts(text)):
        return text
    return value["value"]


def _short(value: object) -> str:
    text = repr(masked(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _syntax_mistake(path: Path, text: str, message: str) -> Mistake:
    match = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    line = match[1] if match and match[1] else str(text.rstrip("\n").count("\n") + 1)
    column = f" at column {match[2]}" if match and match[2] else " at the end of the file"
    reason = message[: match.start()] if match else message
    return Mistake(f"{path}:{line}", f"not TOML{column}: {mask_credentials(reason)}")
