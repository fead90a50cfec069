"""The configuration put together from its layers, with the origin of every value and all mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from trt_pose_app.config.field import fields
from trt_pose_app.config.layer import Value, from_env, from_file, from_flags, from_sets
from trt_pose_app.config.mistake import Mistake
from trt_pose_app.config.schema import Config
from trt_pose_app.config.secret import mask_credentials, masked
from trt_pose_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and for every dotted field where its value comes from:

    ``default``, ``file PATH:LINE``, ``env TRT_POSE__SECTION__FIELD``, ``--set`` or ``flag --name``.
    """

    config: Config
    origins: Mapping[str, str]


def load_config(
    *,
    file: Path | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
    sets: Sequence[str] = (),
    flags: Mapping[str, tuple[str, object]] = MappingProxyType({}),
) -> Loaded:
    """Return the configuration: defaults < TOML file < environment < ``sets`` < ``flags``.

    ``env`` may be the whole environment; only names that begin with TRT_POSE__ count. ``sets`` are texts
    ``section.field=value``. ``flags`` maps a dotted field to the flag's name and value; None means not given.
    An empty text restores a field's default. Raises ConfigError, which lists the mistakes of every layer.
    """
    loaded, mistakes = examine_config(file=file, env=env, sets=sets, flags=flags)
    if loaded is None:
        heading = [] if len(mistakes) == 1 else [f"{len(mistakes)} mistakes in the configuration"]
        message = "\n  ".join([*heading, *map(str, mistakes)])
        if any(mistake.unknown_name for mistake in mistakes):
            hint = "`trt-pose config init` writes every field with its meaning and default"
        else:
            hint = "correct it, or leave it out for the default"
        raise ConfigError(message, hint=hint)
    return loaded


def examine_config(
    *,
    file: Path | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
    sets: Sequence[str] = (),
    flags: Mapping[str, tuple[str, object]] = MappingProxyType({}),
) -> tuple[Loaded | None, list[Mistake]]:
    """Return the configuration and no mistakes, or None and all of them. Arguments as in ``load_config``."""
    layers = [*([from_file(file)] if file else []), from_env(env), from_sets(sets), from_flags(flags)]
    mistakes = [mistake for layer in layers for mistake in layer.mistakes]
    values: dict[str, Value] = {}
    for layer in layers:
        values |= layer.values
    try:
        config = Config.model_validate(_nested(values))
    except ValidationError as error:
        # The error itself is dropped: it quotes the values, and with them passwords.
        mistakes += [_mistake(detail, values) for detail in error.errors(include_url=False)]
    if mistakes:
        return None, sorted(mistakes, key=lambda mistake: mistake.line)  # lines of the file first, in order
    return Loaded(config, {name: values[name].origin if name in values else "default" for name in fields()}), []


def _nested(values: Mapping[str, Value]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        if not value.reset:
            (data.setdefault(section, {}) if section else data)[key] = value.raw
    return data


def _mistake(detail: Mapping[str, Any], values: Mapping[str, Value]) -> Mistake:
    """Return what pydantic found wrong, in the words of the schema and at the place where it was written."""
    name, index = _field_name(detail["loc"])
    reason = detail["msg"].removeprefix("Value error, ")
    field = fields().get(name)
    if field is None:  # a rule between fields of a section
        given = [value.where for other, value in values.items() if other.startswith(f"{name}.")]
        return Mistake(", ".join(given) or "defaults", mask_credentials(f"{name or 'configuration'}: {reason}"))
    where = values[name].where if name in values else "default"
    if detail["type"] not in ("value_error", "assertion_error"):
        allowed = field.allowed.removeprefix("a list of ") if index else field.allowed
        reason = f"must be {allowed} ({field.description})"
    shown = repr(masked(detail["input"]))
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return Mistake(where, f"{name}{index} = {shown}: {mask_credentials(reason)}")


def _field_name(location: Sequence[str | int]) -> tuple[str, str]:
    """Split pydantic's path into the dotted field and, for one element of a list, ``[i]``."""
    names = [str(part) for part in location]
    for depth in range(len(names), 0, -1):
        if (name := ".".join(names[:depth])) in fields():
            return name, "".join(f"[{part}]" for part in location[depth:] if isinstance(part, int))
    return ".".join(names), ""
