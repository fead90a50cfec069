"""Facts that the zoo has on a file, found by the name under which its publisher or `models pull` keeps it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.zoo import ZooEntry, read_zoo

_CONVERTED_BY_TORCH2TRT = "_trt"  # resnet18_..._epoch_249_trt.pth in trt_pose's notebook


def published(path: Path) -> ZooEntry | None:
    """Return the zoo's entry for a file of this name, or None. The name alone proves nothing about the content."""
    stem = path.stem.removesuffix(_CONVERTED_BY_TORCH2TRT)
    for entry in read_zoo().values():
        names = {PurePosixPath(urlsplit(url).path).name for url in entry.urls} | {entry.filename}
        if any(PurePosixPath(name).stem == stem for name in names):
            return entry
    return None


def with_published(spec: ModelSpec, entry: ZooEntry | None) -> ModelSpec:
    """Return ``spec`` with the entry's name, licence and source, and, where the network leaves it open, its size."""
    if entry is None:
        return spec
    update = {
        "name": entry.name.removesuffix("-pth"),
        "origin": spec.origin.model_copy(update={"licence": entry.licence, "origin": entry.source}),
    }
    if spec.kind != "simcc":  # whose tensors say the size
        update["input"] = spec.input.model_copy(update={"width": entry.width, "height": entry.height})
    return ModelSpec.model_validate(spec.model_copy(update=update).model_dump())
