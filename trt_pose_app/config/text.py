"""A configuration as TOML text: the commented file to begin with, and the values in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trt_pose_app.config.field import Field, fields, sections
from trt_pose_app.config.secret import masked

_HEAD = """\
# Configuration of trt-pose. Every field is here with its meaning and default.
# Take away the # before a field to change it. Check the result: trt-pose config check FILE
# The environment (TRT_POSE__SECTION__FIELD), --set section.field=value and flags win over this file.
"""


def config_template() -> str:
    """Return a TOML file with every field commented out; as it stands it changes nothing."""
    lines = [_HEAD]
    for section in ("", *sections()):
        if section:
            lines.append(f"\n[{section}]  # {sections()[section]}")
        for field in _fields_of(section):
            lines.append(f"\n# {field.description}")
            value = "" if field.default is None else f" {toml_value(field.default)}"
            unset = "; not set" if field.default is None else ""
            lines.append(f"# {field.allowed}{unset}\n#{_key(field)} ={value}")
    return "\n".join(lines) + "\n"


def config_text(values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> str:
    """Return TOML of dotted ``values``, credentials masked, each line with its origin if ``origins`` are given."""
    lines: list[tuple[str, str]] = []
    for section in ("", *sections()):
        if section:
            lines += [("", ""), (f"[{section}]", "")]
        for field in _fields_of(section):
            value = masked(values[field.name])
            line = f"# {_key(field)} is not set" if value is None else f"{_key(field)} = {toml_value(value)}"
            lines.append((line, origins[field.name] if origins else ""))
    width = max(len(line) for line, origin in lines)
    return "".join(f"{line:{width}}  # {origin}\n" if origin else f"{line}\n" for line, origin in lines)


def toml_value(value: Any) -> str:
    """Return a text, number, truth value, path or list of them as TOML."""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, (str, Path)):
        return json.dumps(str(value), ensure_ascii=False)
    return str(value).lower()


def _fields_of(section: str) -> list[Field]:
    return [field for field in fields().values() if field.section == section]


def _key(field: Field) -> str:
    return field.name.rpartition(".")[2]
