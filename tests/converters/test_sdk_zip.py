"""OpenMMLab's onnx_sdk archives: the network streamed out, the spec from its JSON, harmful archives refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from converters.checkpoints import recognise
from trt_pose_app.errors import ModelSpecError

SHARED = Path(__file__).parents[2] / "../shared"
SDK_JSON = SHARED / "golden/rtmpose/sdk_json"
FOLDER = "20230831/rtmpose_onnx"


def network(outputs: Mapping[str, list[Any]], entry: str = "input") -> bytes:
    """An ONNX file with these outputs, all constant."""
    nodes, values = [], []
    for name, shape in outputs.items():
        whole = [1 if isinstance(size, str) else size for size in shape]
        fill = helper.make_tensor(f"{name}_shape", TensorProto.INT64, [len(whole)], whole)
        nodes += [
            helper.make_node("Constant", [], [f"{name}_shape"], value=fill),
            helper.make_node("ConstantOfShape", [f"{name}_shape"], [name]),
        ]
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    picture = helper.make_tensor_value_info(entry, TensorProto.FLOAT, ["batch", 3, 256, 192])
    graph = helper.make_graph(nodes, "made", [picture], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


SIMCC = network({"simcc_x": ["batch", 17, 384], "simcc_y": ["batch", 17, 512]})


def pipeline(*, to_rgb: bool = True, component: str = "SimCCLabelDecode", **params: Any) -> dict[str, Any]:
    transforms = [
        {"type": "LoadImageFromFile"},
        {"type": "TopDownGetBboxCenterScale", "padding": 1.25, "image_size": [192, 256]},
        {"type": "TopDownAffine", "image_size": [192, 256]},
        {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "to_rgb": to_rgb},
    ]
    return {
        "pipeline": {
            "tasks": [
                {"type": "Task", "module": "Transform", "transforms": transforms},
                {"type": "Task", "component": component, "params": {"simcc_split_ratio": 2.0, **params}},
            ]
        }
    }


def write_zip(path: Path, members: Mapping[str, bytes | dict[str, Any]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


def test_rtmpose(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {f"{FOLDER}/end2end.onnx": SIMCC, f"{FOLDER}/pipeline.json": pipeline()})
    checkpoint = recognise(path)
    assert checkpoint.describe() == "simcc network of an OpenMMLab archive, input 256x192 RGB, skeleton coco17"
    found = checkpoint.onnx()
    assert found is not None
    model, spec = found
    assert model.SerializeToString() == SIMCC
    assert spec.outputs == {"x": "simcc_x", "y": "simcc_y"}
    assert (spec.input.resize, spec.input.crop_padding, spec.input.mean[0]) == ("affine-crop", 1.25, 123.675)
    assert checkpoint.engine() is None
    assert list(tmp_path.iterdir()) == [path]  # nothing is unpacked


@pytest.mark.parametrize(("to_rgb", "colour"), [(True, "rgb"), (False, "bgr")])
def test_the_colour_order_is_the_publishers(tmp_path: Path, to_rgb: bool, colour: str) -> None:
    path = write_zip(tmp_path / "x.zip", {"a/end2end.onnx": SIMCC, "a/pipeline.json": pipeline(to_rgb=to_rgb)})
    assert recognise(path).spec.input.colour == colour


def test_a_published_name_adds_licence_and_source(tmp_path: Path) -> None:
    name = "rtmpose-t_simcc-body7_pt-body7_420e-256x192-026a1439_20230504.zip"
    path = write_zip(tmp_path / name, {"a/end2end.onnx": SIMCC, "a/pipeline.json": pipeline()})
    spec = recognise(path).spec
    assert spec.name == "rtmpose-t-coco17"
    assert spec.origin.licence.startswith("Apache-2.0")


def test_a_network_that_was_pulled_out_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "rtmpose-t-coco17.onnx"
    path.write_bytes(SIMCC)
    spec = recognise(path).spec
    assert (spec.name, spec.input.colour, spec.input.crop_padding) == ("rtmpose-t-coco17", "rgb", 1.25)
    other = path.rename(tmp_path / "rtmpose-t-halpe26.onnx")  # whose 26 points it does not have
    with pytest.raises(ModelSpecError, match=r"nothing says how to use .* gives simcc_x \(-1, 17, 384\)"):
        recognise(other)
    detector = tmp_path / "yolox-tiny-person.onnx"
    detector.write_bytes(network({"dets": ["batch", 100, 5], "labels": ["batch", 100]}))
    spec = recognise(detector).spec
    assert (spec.kind, spec.input.width, spec.input.padding_value) == ("detector", 416, 114)


def test_heatmaps(tmp_path: Path) -> None:
    content = network({"output": ["batch", 17, 64, 48]})
    decode = pipeline(component="TopdownHeatmapSimpleHeadDecode")
    spec = recognise(write_zip(tmp_path / "x.zip", {"end2end.onnx": content, "pipeline.json": decode})).spec
    assert (spec.kind, spec.outputs, spec.heatmap is not None and spec.heatmap.stride) == (
        "heatmap", {"heatmap": "output"}, 4,
    )  # fmt: skip


@pytest.mark.shared
def test_the_published_detector(tmp_path: Path) -> None:
    tables = {
        f"a/{name}.json": (SDK_JSON / f"rtmdet-nano_{name}.json").read_bytes()
        for name in ("pipeline", "deploy", "detail")
    }
    content = (SHARED / "weights/rtmdet-nano-sdk-end2end.onnx").read_bytes()
    checkpoint = recognise(write_zip(tmp_path / "x.zip", {"a/end2end.onnx": content, **tables}))
    spec = checkpoint.spec
    assert (spec.name, spec.kind, spec.outputs) == (
        "rtmdet-320x320", "detector", {"boxes": "dets", "labels": "labels"},
    )  # fmt: skip
    entry = spec.input
    assert (entry.width, entry.height, entry.colour, entry.resize, entry.padding_value) == (
        320, 320, "bgr", "letterbox-top-left", 114,
    )  # fmt: skip
    assert entry.mean == (103.53, 116.28, 123.675)
    assert checkpoint.onnx() is not None


@pytest.mark.shared
def test_the_published_rtmpose(tmp_path: Path) -> None:
    tables = {
        f"a/{name}.json": (SDK_JSON / f"rtmpose-m_{name}.json").read_bytes()
        for name in ("pipeline", "deploy", "detail")
    }
    spec = recognise(write_zip(tmp_path / "x.zip", {"a/end2end.onnx": SIMCC, **tables})).spec
    assert (spec.kind, spec.skeleton, spec.input.colour, spec.input.std) == (
        "simcc", "coco17", "rgb", (58.395, 57.12, 57.375),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.onnx": SIMCC, "b.onnx": SIMCC, "pipeline.json": pipeline()}, r"holds 2 networks: a\.onnx, b\.onnx"),
        ({"../end2end.onnx": SIMCC, "pipeline.json": pipeline()}, r"member \.\./end2end\.onnx leaves the archive"),
        ({"/etc/end2end.onnx": SIMCC, "pipeline.json": pipeline()}, "leaves the archive"),
        ({"..\\end2end.onnx": SIMCC, "pipeline.json": pipeline()}, "leaves the archive"),
        ({"end2end.onnx": bytes(300_000_000)}, r"would grow from \d+ to 300000000 bytes"),
        ({"end2end.onnx": SIMCC, "pipeline.json": b" " * 2_000_000}, "would grow"),
        ({"end2end.onnx": SIMCC[:-20], "pipeline.json": pipeline()}, "end2end.onnx is not an intact ONNX file"),
        ({"end2end.onnx": SIMCC}, "does not say how the network is used: 'pipeline'"),
        ({"end2end.onnx": SIMCC, "pipeline.json": b"{"}, "is damaged"),
        ({"end2end.onnx": SIMCC, "pipeline.json": b'{"pipeline": []}'}, "does not say how the network is used"),
        ({"end2end.onnx": SIMCC, "pipeline.json": pipeline(use_dark=True)}, "DARK"),
        ({"end2end.onnx": SIMCC, "pipeline.json": pipeline(component="PixelVoting")}, "PixelVoting is not a way"),
        (
            {"end2end.onnx": network({"simcc_x": [1, 19, 384], "simcc_y": [1, 19, 512]}), "pipeline.json": pipeline()},
            "finds 19 keypoints",
        ),
    ],
)
def test_harmful_and_wrong_archives(tmp_path: Path, members: dict[str, Any], message: str) -> None:
    path = write_zip(tmp_path / "x.zip", members)
    with pytest.raises(ModelSpecError, match=message):
        recognise(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"end2end.onnx": SIMCC, "pipeline.json": pipeline()})
    content = bytearray(path.read_bytes())
    content[80] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ModelSpecError, match="damaged"):
        recognise(path)
