"""OpenMMLab's ``onnx_sdk`` archives: one ONNX network and the JSON files that say how it is fed and read."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import onnx

from converters.onnx_file import parse_onnx, tensor_shapes
from converters.published import with_published
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import DetectorSpec, HeatmapSpec, InputSpec, ModelSpec, SimccSpec
from trt_pose_app.models.zoo import ZooEntry
from trt_pose_app.networks.mmpose import ORIGIN, crop_input, skeleton_of

_MAX_JSON_BYTES = 1 << 20
_MAX_ONNX_BYTES = (1 << 31) - 1  # protobuf's own limit
_MAX_RATIO = 100  # weights hardly compress
_HINT = "fetch the archive again from its publisher"


@dataclass(frozen=True)
class SdkArchive:
    """``network`` is the path of the ONNX member inside the archive; ``tables`` the JSON files by name."""

    path: Path
    network: str
    tables: Mapping[str, Any]

    def onnx(self) -> onnx.ModelProto:
        """Return the network. Raises ModelSpecError if it is damaged."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return parse_onnx(archive.read(self.network), f"{self.path}: {self.network}")
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
            raise ModelSpecError(f"{self.path} is damaged: {error}", hint=_HINT) from error


def read_sdk_zip(path: Path) -> SdkArchive:
    """Return what the archive holds; nothing is unpacked to disk. Raises ModelSpecError for a harmful or wrong one."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [_checked(member, path) for member in archive.infolist()]
            networks = [member.filename for member in members if member.filename.endswith(".onnx")]
            if len(networks) != 1:
                told = ", ".join(networks[:3]) or "none"
                raise ModelSpecError(f"{path} holds {len(networks)} networks: {told}", hint="give an archive with one")
            tables = {
                PurePosixPath(member.filename).stem: json.loads(archive.read(member))
                for member in members
                if PurePosixPath(member.filename).name in ("pipeline.json", "deploy.json", "detail.json")
            }
    except OSError as error:
        raise ModelSpecError(f"cannot read {path}: {error.strerror}", hint="check the path and its rights") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise ModelSpecError(f"{path} is damaged: {error}", hint=_HINT) from error
    return SdkArchive(path, networks[0], tables)


def _checked(member: zipfile.ZipInfo, path: Path) -> zipfile.ZipInfo:
    name = PurePosixPath(member.filename)
    limit = _MAX_ONNX_BYTES if name.suffix == ".onnx" else _MAX_JSON_BYTES
    read = name.suffix in (".onnx", ".json")
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
        raise ModelSpecError(f"{path} is refused: its member {member.filename} leaves the archive", hint=_HINT)
    if read and (member.file_size > limit or member.file_size > _MAX_RATIO * member.compress_size + _MAX_JSON_BYTES):
        raise ModelSpecError(
            f"{path} is refused: its member {member.filename} would grow from {member.compress_size} to "
            f"{member.file_size} bytes",
            hint=_HINT,
        )
    if member.flag_bits & 1:
        raise ModelSpecError(f"{path} is refused: its member {member.filename} is encrypted", hint=_HINT)
    return member


def sdk_spec(archive: SdkArchive, model: onnx.ModelProto) -> ModelSpec:
    """Return the spec that the archive's ``pipeline.json`` implies. Raises ModelSpecError where it says too little.

    Colours, sizes and thresholds are the publisher's: RTMPose is fed RGB although many programs feed it BGR.
    """
    where = f"{archive.path}: pipeline.json"
    try:
        tasks = archive.tables["pipeline"]["pipeline"]["tasks"]
        steps: dict[str, dict[str, Any]] = {}
        for step in (step for task in tasks for step in task.get("transforms", ())):
            steps.setdefault(step["type"], {}).update(step)  # there are two paddings, to a size and to a multiple
        decode = next(task for task in tasks if "component" in task)
        component, params = str(decode["component"]), decode.get("params", {})
        inputs, outputs = tensor_shapes(model)
        (name,) = inputs
        if component == "ResizeBBox":
            return _detector_spec(archive.tables, _input(name, steps), outputs)
        return _pose_spec(_input(name, steps), component, params, outputs)
    except ModelSpecError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelSpecError(
            f"{where} does not say how the network is used: {told}",
            hint="write a spec as docs/models.md shows and give it with --spec",
        ) from error


def published_spec(entry: ZooEntry, model: onnx.ModelProto) -> ModelSpec | None:
    """Return the spec of a network that `models pull` took out of an archive; None if its tensors are of another.

    Its pipeline.json is gone then. All archives of a kind in the zoo agree on what is assumed here.
    """
    inputs, outputs = tensor_shapes(model)
    if len(inputs) != 1:
        return None
    (name,) = inputs
    if entry.kind == "simcc" and set(outputs) == {"simcc_x", "simcc_y"}:
        spec = _pose_spec(crop_input(entry.width, entry.height).model_copy(update={"name": name}), "SimCC", {}, outputs)
        fits = outputs["simcc_x"][2] == 2 * entry.width and spec.skeleton == entry.skeleton
        return with_published(spec, entry) if fits else None
    if entry.kind == "detector" and set(outputs) == {"dets", "labels"}:
        letterbox = InputSpec(
            name=name, width=entry.width, height=entry.height, colour="bgr", resize="letterbox-top-left",
            padding_value=114, multiple_of=32,
        )  # fmt: skip
        return with_published(_detector_spec({}, letterbox, outputs), entry)
    return None


def _input(name: str, steps: Mapping[str, Any]) -> InputSpec:
    normalise = steps.get("Normalize", {})
    if "TopDownAffine" in steps:
        width, height = steps["TopDownAffine"]["image_size"]
        fit: dict[str, Any] = {
            "resize": "affine-crop",
            "crop_padding": steps.get("TopDownGetBboxCenterScale", {}).get("padding", 1.25),
        }
    else:
        resize, pad = steps["Resize"], steps.get("Pad", {})
        width, height = next(_pairs(pad.get("size"), resize["size"]))
        if not resize.get("keep_ratio"):
            fit = {"resize": "stretch"}
        else:
            value = pad.get("pad_val", 0)
            value = value.get("img", 0) if isinstance(value, dict) else value
            fit = {
                "resize": "letterbox-top-left",
                "padding_value": int(value[0] if isinstance(value, list) else value),
            }
    return InputSpec(
        name=name,
        width=width,
        height=height,
        colour="rgb" if normalise.get("to_rgb", False) else "bgr",
        mean=tuple(normalise.get("mean", (0, 0, 0))),
        std=tuple(normalise.get("std", (1, 1, 1))),
        **fit,
    )


def _pairs(*values: Any) -> Iterator[tuple[int, int]]:
    for value in values:
        if isinstance(value, (list, tuple)) and len(value) == 2:
            yield int(value[0]), int(value[1])


def _pose_spec(
    entry: InputSpec, component: str, params: Mapping[str, Any], outputs: Mapping[str, Sequence[int]]
) -> ModelSpec:
    sides = f"{entry.height}x{entry.width}"
    if "SimCC" in component:
        if params.get("use_dark"):
            raise ModelSpecError("SimCC with DARK's refinement is not supported", hint="export it without use_dark")
        x, y = _in_order(outputs, ("simcc_x", "simcc_y"))
        skeleton = skeleton_of(outputs[x][1])
        simcc = SimccSpec(split_ratio=params.get("simcc_split_ratio", 2.0))
        return ModelSpec(
            name=f"rtmpose-{skeleton}-{sides}", kind="simcc", skeleton=skeleton, input=entry,
            outputs={"x": x, "y": y}, simcc=simcc, origin=ORIGIN,
        )  # fmt: skip
    if "Heatmap" not in component:
        raise ModelSpecError(f"{component} is not a way of reading that is known", hint="give a spec with --spec")
    (heatmap,) = outputs
    skeleton = skeleton_of(outputs[heatmap][1])
    stride = entry.width // outputs[heatmap][3]
    return ModelSpec(
        name=f"heatmap-{skeleton}-{sides}", kind="heatmap", skeleton=skeleton, input=entry,
        outputs={"heatmap": heatmap}, heatmap=HeatmapSpec(stride=stride), origin=ORIGIN,
    )  # fmt: skip


def _detector_spec(tables: Mapping[str, Any], entry: InputSpec, outputs: Mapping[str, Sequence[int]]) -> ModelSpec:
    boxes, labels = _in_order(outputs, ("dets", "labels"))
    detail = tables.get("detail", {})
    kept = detail.get("codebase_config", {}).get("post_processing", {}).get("keep_top_k", 100)
    name = tables.get("deploy", {}).get("models", [{}])[0].get("name", "detector")
    return ModelSpec(
        name=f"{name}-{entry.height}x{entry.width}",
        kind="detector",
        input=entry,
        outputs={"boxes": boxes, "labels": labels},
        detector=DetectorSpec(format="boxes", max_boxes=kept),
        origin=ORIGIN,
    )


def _in_order(outputs: Mapping[str, Sequence[int]], usual: tuple[str, str]) -> tuple[str, str]:
    """Return the two outputs by their usual names, or in the graph's order."""
    if set(usual) <= outputs.keys():
        return usual
    first, second = outputs
    return first, second
