"""What a file looks like, told from its first bytes: for messages about files that are not what they were taken for."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.onnx_metadata import read_metadata

_HEAD_BYTES = 1024
_STARTS = (
    (b"ftrt", "a TensorRT engine"),
    (b"ptrt", "a TensorRT engine"),
    (b"\x89HDF", "an HDF5 file, such as Keras writes"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"7767517", "an ncnn parameter file"),
    (b"\x93NUMPY", "a numpy array"),
    (b"GGUF", "a GGUF language model"),
    (b"%PDF", "a PDF document"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")


def file_kind(path: Path) -> str:
    """Return in words what ``path`` looks like: "a TensorRT engine", "a git-lfs pointer". Raises ModelSpecError.

    The words for what can be converted are those that ``CONTAINERS`` lists.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        return _kind(path, head, size)
    except OSError as error:
        raise ModelSpecError(f"cannot read {path}: {error.strerror}", hint="check the path and its rights") from error


TORCH, PICKLE, SDK_ZIP, ONNX = "a torch checkpoint", "a pickle", "an OpenMMLab SDK archive", "an ONNX network"
CONTAINERS = (TORCH, PICKLE, SDK_ZIP, ONNX)


def _kind(path: Path, head: bytes, size: int) -> str:
    if not head:
        return "an empty file"
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head.startswith(b"PK"):
        return _zip_kind(path)
    if head.startswith(b"version https://git-lfs.github.com/spec"):
        wanted = re.search(rb"size (\d+)", head)
        return f"a git-lfs pointer to a file of {wanted[1].decode()} bytes" if wanted else "a git-lfs pointer"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite network"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if _is_safetensors(head, size):
        return "a safetensors file"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page: a download that failed"
    if text.startswith(b"<?xml") or text.startswith(b"<net"):
        return "an OpenVINO network or other XML file" if b"<net" in text else "an XML file"
    if text.startswith((b"{", b"[")):
        return _json_kind(path, size)
    if _PICKLE.match(head):
        return PICKLE
    if head.startswith(b"\x08") and _is_onnx(path):
        return ONNX
    return "nothing known here"


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return "a zip archive that is cut short or damaged"
    if any(name.endswith("constants.pkl") for name in names):
        return "a TorchScript archive, which holds code"
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return TORCH
    if any(name.endswith(".onnx") for name in names):
        return SDK_ZIP
    if names and all(name.endswith(".npy") for name in names):
        return "a numpy .npz archive"
    return "a zip archive without a network in it"


def _json_kind(path: Path, size: int) -> str:
    try:
        content = json.loads(path.read_bytes()) if size < 1 << 20 else None
    except (ValueError, RecursionError):
        return "a text file"
    if isinstance(content, dict) and {"keypoints", "skeleton"} <= content.keys():
        return "a trt_pose task file such as human_pose.json, which belongs beside a checkpoint"
    return "a JSON file"


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= size - 8 and head[8:9] == b"{" and b'"' in head[9:16]


def _is_onnx(path: Path) -> bool:
    try:
        read_metadata(path)
    except ModelSpecError:
        return False
    return True
