"""Brings a model into a model directory: from the zoo's addresses, or from a file or folder at hand."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trt_pose_app.errors import ChecksumError, ModelError, ModelNotFoundError
from trt_pose_app.models.bundle import NETWORK_SUFFIXES, sidecar_of
from trt_pose_app.models.checksum import record_sha256, sha256_of
from trt_pose_app.models.download import copy, fetch
from trt_pose_app.models.part_file import Progress, open_part
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import expected_sha256
from trt_pose_app.models.zoo import ARCHIVE_SUFFIX, CHECKPOINT_SUFFIX, ZooEntry, read_zoo


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is in place. ``verified``: its sha256 was known beforehand, and is right."""

    path: Path
    sha256: str
    verified: bool


def pull(entry: ZooEntry, directory: Path, progress: Progress | None = None, *, force: bool = False) -> Pulled:
    """Fetch a model of the zoo into ``directory``; one that is there and right is kept unless ``force``.

    Raises ModelNotFoundError, ChecksumError, ModelError; nothing is installed then.
    """
    target = directory / entry.filename
    failures: list[ModelError] = []
    for is_archive, urls in groupby(entry.urls, key=lambda url: urlsplit(url).path.endswith(ARCHIVE_SUFFIX)):
        try:
            if is_archive:
                sha256 = _fetch_archive(entry, list(urls), target, progress, force)
            else:
                sha256 = fetch(list(urls), target, entry.sha256, progress, force=force)
            return _installed(target, sha256, entry.sha256 is not None)
        except (ModelNotFoundError, ChecksumError) as error:
            failures.append(error)
    wrong = any(isinstance(error, ChecksumError) for error in failures)
    raise (ChecksumError if wrong else ModelNotFoundError)(
        "; ".join(error.message for error in failures), hint=failures[-1].hint
    )


def pull_from(
    source: Path, name: str, directory: Path, search: Sequence[Path], progress: Progress | None = None
) -> Pulled:
    """Copy the model ``name`` from the file ``source``, or out of the folder ``source``, into ``directory``.

    In a folder it may bear its own name or that of the publisher's file. A spec beside it is copied too. It is
    checked against the zoo's sha256 or the spec's. Raises ModelNotFoundError, ChecksumError, ModelError.
    """
    entry = read_zoo().get(name)
    file = _in_folder(source, name, entry) if source.is_dir() else source
    if not file.is_file():
        raise ModelNotFoundError(f"there is no file {file}", hint="give --from an existing file or folder")
    suffix = file.suffix
    if suffix not in (*NETWORK_SUFFIXES, CHECKPOINT_SUFFIX, ARCHIVE_SUFFIX):
        raise ModelError(f"{file} is no model file", hint="it should end in .onnx, .engine, .pth or .zip")
    if suffix == ARCHIVE_SUFFIX:
        target, known = directory / f"{name}.onnx", entry.sha256 if entry else None
        sha256 = _unpack(file, target, known)
        return _installed(target, sha256, known is not None)
    target = directory / f"{name}{suffix}"
    known = expected_sha256(file.with_name(target.name), (file.parent, *search))
    sidecar = sidecar_of(file)
    if suffix in NETWORK_SUFFIXES and sidecar.is_file():
        known = ModelSpec.read(sidecar).origin.sha256 or known
    sha256 = copy(file, target, known, progress)
    if suffix in NETWORK_SUFFIXES and sidecar.is_file():
        copy(sidecar, sidecar_of(target), None)
    return _installed(target, sha256, known is not None)


def _fetch_archive(entry: ZooEntry, urls: Sequence[str], target: Path, progress: Progress | None, force: bool) -> str:
    """Fetch a .zip, keep the one network in it as ``target``, and return the network's sha256."""
    if not force and target.is_file() and entry.sha256 in (None, actual := sha256_of(target)):
        return actual
    archive = target.with_name(f"{entry.name}{ARCHIVE_SUFFIX}")
    fetch(urls, archive, entry.archive_sha256, progress, force=force)
    try:
        return _unpack(archive, target, entry.sha256)
    finally:
        archive.unlink(missing_ok=True)


def _unpack(archive: Path, target: Path, sha256: str | None) -> str:
    """Install the one ``.onnx`` inside ``archive`` as ``target`` and return its sha256."""
    try:
        with zipfile.ZipFile(archive) as zipped, open_part(target) as part:
            networks = [member for member in zipped.infolist() if member.filename.endswith(".onnx")]
            if len(networks) != 1:
                raise ChecksumError(
                    f"{archive.name} holds {len(networks)} .onnx files, not one", hint="unpack it and use --from FILE"
                )
            with zipped.open(networks[0]) as file:
                part.fill(file, networks[0].file_size, None)
            return part.install(sha256)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ChecksumError(f"{archive.name} is no intact archive: {error}", hint="fetch it again") from error
    except OSError as error:
        raise ModelNotFoundError(f"cannot read {archive}: {error.strerror}", hint="check the path") from error


def _in_folder(folder: Path, name: str, entry: ZooEntry | None) -> Path:
    names = [f"{name}{suffix}" for suffix in (*NETWORK_SUFFIXES, CHECKPOINT_SUFFIX, ARCHIVE_SUFFIX)]
    if entry is not None:
        published = [Path(unquote(urlsplit(url).path)).name for url in entry.urls]
        names = [entry.filename, *dict.fromkeys(published)]
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    raise ModelNotFoundError(f"{folder} has none of {', '.join(names)}", hint="name the file itself with --from FILE")


def _installed(path: Path, sha256: str, verified: bool) -> Pulled:
    try:
        record_sha256(path, sha256)
    except OSError as error:
        raise ModelError(f"cannot write beside {path}: {error.strerror}", hint="free some space") from error
    return Pulled(path, sha256, verified)
