"""Where models live: looks a name up in the model directories and lists what is there."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from trt_pose_app.errors import ModelError, ModelNotFoundError, ModelSpecError
from trt_pose_app.models.bundle import NETWORK_SUFFIXES, Bundle, MissingSpecError, convert_first, read_bundle
from trt_pose_app.models.checksum import recorded_sha256, sha256_of
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.zoo import CHECKPOINT_SUFFIX, read_zoo

SEARCH_VARIABLE = "TRT_POSE_MODELS"


def cache_directory() -> Path:
    """Return the user's directory for fetched models, such as ``~/.cache/trt-pose/models``."""
    return platformdirs.user_cache_path("trt-pose") / "models"


def packaged_directory() -> Path:
    """Return the directory of the models that ship with the package."""
    package = Path(__file__).parents[1]
    installed = package / "weights"
    # In a checkout weights/ lies beside the package; the wheel carries it inside.
    return installed if installed.is_dir() else package.parent / "weights"


def default_search(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the model directories in search order: those of TRT_POSE_MODELS in ``env``, the cache, the packaged."""
    given = [Path(part).expanduser() for part in env.get(SEARCH_VARIABLE, "").split(os.pathsep) if part]
    return tuple(dict.fromkeys([*given, cache_directory(), packaged_directory()]))


def find(name: str, *, spec: Path | None = None, search: Sequence[Path] | None = None) -> Bundle:
    """Return the bundle called ``name``, or the one at the path ``name``.

    A name is the stem of a network file in one of the directories ``search`` (default: cache and packaged); anything
    with a separator or with a network's suffix is a path. A file without a spec of its own takes the ``name.toml`` of
    another of these directories if that gives the file's sha256, or gives none and `models pull` fetched the file under
    this name. Raises ModelNotFoundError, ModelSpecError.
    """
    directories = default_search({}) if search is None else tuple(search)
    path = Path(name).expanduser() if is_path(name) else locate(name, directories)
    if path is None:
        raise _not_found(name, directories)
    try:
        return read_bundle(path, spec)
    except MissingSpecError:
        for directory in directories:
            sidecar = directory / f"{path.stem}.toml"
            if not sidecar.is_file():
                continue
            elsewhere = ModelSpec.read(sidecar)
            if (known := elsewhere.origin.sha256 or recorded_sha256(path)) is not None:
                if known == sha256_of(path):
                    return Bundle(elsewhere, path)
                raise ModelSpecError(
                    f"{sidecar} is the spec of another file than {path}: the sha256 differs",
                    hint="fetch the network again, or give its own spec with --spec FILE",
                ) from None
        raise


def is_path(name: str) -> bool:
    """Return whether ``name`` is a path rather than the name of a model."""
    return os.sep in name or name.endswith((*NETWORK_SUFFIXES, CHECKPOINT_SUFFIX))


def locate(name: str, search: Sequence[Path], suffixes: Sequence[str] = NETWORK_SUFFIXES) -> Path | None:
    """Return the first file called ``name`` with one of the suffixes, or None."""
    files = (directory / f"{name}{suffix}" for directory in search for suffix in suffixes)
    return next((file for file in files if file.is_file()), None)


@dataclass(frozen=True, slots=True)
class Installed:
    """One file of a model directory: a network with its spec, or a file with the reason why it cannot be used."""

    name: str
    path: Path
    spec: ModelSpec | None
    problem: str | None


def installed(search: Sequence[Path]) -> list[Installed]:
    """Return every network and checkpoint in the directories, in search order and then by name."""
    found = []
    for path in _files(search):
        spec, problem = None, None
        if path.suffix == CHECKPOINT_SUFFIX:
            problem = f"a checkpoint: {convert_first(path.stem)}"
        else:
            try:
                spec = find(str(path.absolute()), search=search).spec
            except MissingSpecError:
                problem = "no spec"
            except ModelError as error:
                problem = error.message
        found.append(Installed(path.stem, path, spec, problem))
    return found


def expected_sha256(path: Path, search: Sequence[Path]) -> str | None:
    """Return the sha256 that an installed file should have, or None where nobody says.

    Asked in turn: the spec beside it or of its name in ``search``, the zoo, the record that a pull made of it.
    Raises ModelSpecError for a broken spec.
    """
    for sidecar in (directory / f"{path.stem}.toml" for directory in (path.parent, *search)):
        # An engine is built on the board from the .onnx that the spec means.
        if path.suffix == ".onnx" and sidecar.is_file() and (sha256 := ModelSpec.read(sidecar).origin.sha256):
            return sha256
    entry = read_zoo().get(path.stem)
    if entry is not None and entry.filename == path.name and entry.sha256 is not None:
        return entry.sha256
    return recorded_sha256(path)


def _files(search: Sequence[Path]) -> list[Path]:
    suffixes = (*NETWORK_SUFFIXES, CHECKPOINT_SUFFIX)
    return [path for directory in search for path in sorted(directory.glob("*")) if path.suffix in suffixes]


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of ``known`` that ``name`` may have been meant to be."""
    return difflib.get_close_matches(name, sorted(known), n=3)


def _not_found(name: str, search: Sequence[Path]) -> ModelNotFoundError:
    looked = ", ".join(f"{directory}{'' if directory.is_dir() else ' (absent)'}" for directory in search)
    message = f"there is no model {name!r} in {looked}"
    zoo = read_zoo()
    if name in zoo:
        hint = f"fetch it with `trt-pose models pull {name}`"
        checkpoints = (directory / zoo[name].filename for directory in search)
        if zoo[name].needs_conversion:
            here = next((file for file in checkpoints if file.is_file()), None)
            hint = f"there is {here}: {convert_first(name)}" if here else f"{hint}, then {convert_first(name)}"
        return ModelNotFoundError(message, hint=hint)
    if any((directory / f"{name}.toml").is_file() for directory in search):
        return ModelNotFoundError(
            f"{message}; its spec is there, the network is not",
            hint=f"put {name}.onnx into one of these directories, or `trt-pose models pull {name} --from FOLDER`",
        )
    close = close_names(name, {*zoo, *(path.stem for path in _files(search))})
    hint = f"did you mean {' or '.join(close)}?" if close else "`trt-pose models list` shows what there is"
    return ModelNotFoundError(message, hint=hint)
