"""What the schema says about each field, read from the schema itself: name, meaning, allowed values, default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard

from pydantic import BaseModel, TypeAdapter, ValidationError

from trt_pose_app.config.pattern import IN_WORDS
from trt_pose_app.config.schema import Config

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One value that can be configured.

    ``name`` is dotted; ``section`` is the part before the dot, empty at the top level. ``allowed`` is a phrase for
    people, such as "a whole number, 16 .. 16384". ``optional`` fields may be None, which TOML cannot say.
    """

    name: str
    section: str
    description: str
    allowed: str
    default: Any
    optional: bool
    adapter: TypeAdapter[Any]

    def accepts(self, value: Any) -> bool:
        try:
            self.adapter.validate_python(value)
        except ValidationError:
            return False
        return True


@cache
def fields() -> Mapping[str, Field]:
    """Return every field under its dotted name, in the schema's order."""
    return {field.name: field for field in _walk(Config, "")}


@cache
def sections() -> Mapping[str, str]:
    """Return every section's name with the sentence that describes it."""
    return {
        name: (info.annotation.__doc__ or "").strip().splitlines()[0]
        for name, info in Config.model_fields.items()
        if _is_section(info.annotation)
    }


def _walk(model: type[BaseModel], section: str) -> list[Field]:
    found: list[Field] = []
    defaults = model()
    for name, info in model.model_fields.items():
        if _is_section(info.annotation):
            found += _walk(info.annotation, name)
            continue
        adapter: TypeAdapter[Any] = TypeAdapter(info.rebuild_annotation())
        allowed, optional = _allowed(adapter.json_schema())
        dotted = f"{section}.{name}" if section else name
        default = getattr(defaults, name)
        found.append(Field(dotted, section, info.description or "", allowed, default, optional, adapter))
    return found


def _is_section(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _allowed(schema: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the phrase for the values that a JSON schema admits, and whether null is one of them."""
    if "anyOf" in schema:
        choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        return " or ".join(_allowed(choice)[0] for choice in choices), len(choices) < len(schema["anyOf"])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"one of {', '.join(map(str, values))}", False
    if schema.get("format") == "path":
        return "a path", False
    phrase = _KINDS.get(schema.get("type", ""), "a value")
    if schema.get("type") == "array" and "items" in schema:
        phrase += f" of {_allowed(schema['items'])[0].removeprefix('a ')}"
    if schema.get("minLength"):
        phrase += ", not empty"
    if "pattern" in schema:
        return IN_WORDS[schema["pattern"]], False
    if bounds := _bounds(schema):
        phrase += f", {bounds}"
    return phrase, False


def _bounds(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']:g} .. {schema['maximum']:g}"
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return ", ".join(f"{word} {schema[key]:g}" for key, word in words.items() if key in schema)
