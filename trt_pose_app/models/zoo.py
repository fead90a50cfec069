"""The zoo: published checkpoints and networks that can be fetched, with their mirrors, checksums and licences."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from trt_pose_app.config.pattern import NAME, SHA256, SHA256_PREFIX
from trt_pose_app.config.wording import mistakes_of
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.skeleton import SKELETONS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKPOINT_SUFFIX = ".pth"
ARCHIVE_SUFFIX = ".zip"


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("an address is http(s)://host/path without a user name")
    return url


def _known_skeleton(name: str) -> str:
    if name not in SKELETONS:
        raise ValueError(f"none of {', '.join(SKELETONS)}")
    return name


Sha256 = Annotated[str, Field(pattern=SHA256)]


class ZooEntry(BaseModel):
    """One published model. ``sha256`` is that of the file as it is kept, so inside the archive for a .zip address.

    ``sha256_prefix`` is the hash that the publisher put into the file's name: a hint, since some are known to be
    wrong. ``bytes`` is the size of the first address's download.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME)
    kind: Literal["paf", "simcc", "heatmap", "detector"]
    format: Literal["onnx", "pth"]
    skeleton: Annotated[str, AfterValidator(_known_skeleton)] | None = None
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    licence: str = Field(min_length=1)
    source: Annotated[str, AfterValidator(_checked_url)]
    urls: tuple[Annotated[str, AfterValidator(_checked_url)], ...] = Field(min_length=1)
    sha256: Sha256 | None = None
    sha256_prefix: str | None = Field(None, pattern=SHA256_PREFIX)
    archive_sha256: Sha256 | None = None
    bytes: int | None = Field(None, ge=1)
    note: str = ""

    @property
    def filename(self) -> str:
        """The name under which the file is kept."""
        return f"{self.name}.{self.format}"

    @property
    def needs_conversion(self) -> bool:
        """Whether it is a checkpoint, which `trt-pose convert` makes a network of before it can run."""
        return self.filename.endswith(CHECKPOINT_SUFFIX)


@cache
def read_zoo() -> Mapping[str, ZooEntry]:
    """Return the entries of the package's zoo by name."""
    return parse_zoo(Path(__file__).with_name("zoo.toml").read_text(encoding="utf-8"), "zoo.toml")


def parse_zoo(text: str, where: str) -> Mapping[str, ZooEntry]:
    """Return the entries in ``text``, one TOML table each; ``where`` names it in errors. Raises ModelSpecError."""
    try:
        tables = tomllib.loads(text)
        named = {name: {"name": name, **table} for name, table in tables.items() if isinstance(table, dict)}
        if stray := tables.keys() - named.keys():
            raise ModelSpecError(f"{where}: {', '.join(sorted(stray))} is no table", hint="one table per model")
        return MappingProxyType(TypeAdapter(dict[str, ZooEntry]).validate_python(named))
    except tomllib.TOMLDecodeError as error:
        raise ModelSpecError(f"{where} is not TOML: {error}", hint="correct the file") from error
    except ValidationError as error:
        # Not chained: pydantic's own text repeats the input, and an address may hold a password.
        raise ModelSpecError(f"{where}: {mistakes_of(error, 'zoo')}", hint="correct these entries") from None
