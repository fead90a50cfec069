from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.skeleton import OPENPOSE18

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "weights").glob("*.toml"))
WHOLE = (ROOT / "weights/openpose-lightweight.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_spec_is_valid_and_survives_its_metadata(path: Path) -> None:
    spec = ModelSpec.read(path)
    assert spec.name == path.stem
    assert spec.origin.licence
    assert ModelSpec.from_json(spec.to_json(), "x") == spec


def test_openpose_lightweight_says_what_the_network_needs() -> None:
    spec = ModelSpec.read(ROOT / "weights/openpose-lightweight.toml")
    assert spec.build_skeleton() is OPENPOSE18
    assert (spec.input.width, spec.input.height, spec.input.colour, spec.input.padding_value) == (456, 256, "bgr", 128)
    assert spec.paf is not None
    # The two limbs that never join people are the ones from a shoulder to an ear.
    ends = [{OPENPOSE18.parts[i].partition("_")[2] for i in OPENPOSE18.limbs[n]} for n in spec.paf.attach_only_limbs]
    assert ends == [{"shoulder", "ear"}, {"shoulder", "ear"}]
    assert spec.paf.background_channel == len(OPENPOSE18)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "openpose-lightweight"', 'name = "open pose"', "name: must be letters, digits, . _ -"),
        ('kind = "paf"', 'kind = "magic"', "kind: must be 'paf'"),
        ('kind = "paf"', 'kind = "paf"\nspeed = 3', "speed: unknown field"),
        ('"openpose18"', '"openpose19"', "skeleton 'openpose19' is none of coco17"),
        ("height = 256", "height = 250", "input.height is no multiple of 8"),
        ("height = 256", "", "input.height: is missing"),
        ('dtype = "float32"', "std = [1, 0, 1]", "input.std must be positive"),
        ('dtype = "float32"', "std = [1, nan, 1]", "input.std.1: must be a finite number"),
        ("stride = 8", "stride = 0", "paf.stride: must be greater"),
        ("background_channel = 18", "background_channel = -1", "paf.background_channel"),
        ("background_channel = 18", "limb_channels = [[0, 1]]", "limb_channels has 1 pairs for 19 limbs"),
        ("background_channel = 18", f"limb_channels = {[[0, 1]] * 19}", "names a channel twice"),
        ("[9, 13]", "[19]", "attach_only_limbs leaves 0..18"),
        ('paf = "Mconv7_stage2_L1"', "", "[outputs] lacks paf"),
        ('sha256 = "1b', 'sha256 = "zz', "origin.sha256: must be 64 hexadecimal digits"),
        ('licence = "Apache-2.0"', "", "origin.licence: is missing"),
        ("[paf]", "[paf", "is not TOML"),
    ],
)
def test_each_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in WHOLE
    path = tmp_path / "net.toml"
    path.write_text(WHOLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelSpecError) as caught:
        ModelSpec.read(path)
    assert reason in caught.value.message
    assert str(path) in caught.value.message


SKETCH: dict[str, Any] = {
    "name": "net",
    "input": {"name": "x", "width": 192, "height": 256, "colour": "rgb"},
    "origin": {"licence": "MIT"},
}
RTMDET = {"format": "rtmdet", "strides": (8, 16)}


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("simcc", {"outputs": {"x": "a", "y": "b"}}, "kind 'simcc' needs a [simcc] table"),
        ("simcc", {"simcc": {}, "outputs": {"x": "a"}}, "[outputs] lacks y"),
        ("simcc", {"simcc": {"split_ratio": 0}, "outputs": {"x": "a", "y": "b"}}, "simcc.split_ratio"),
        ("heatmap", {"outputs": {"heatmap": "a"}}, "kind 'heatmap' needs a [heatmap] table"),
        ("heatmap", {"heatmap": {}, "outputs": {}}, "[outputs] lacks heatmap"),
        ("heatmap", {"heatmap": {}, "skeleton": None, "outputs": {"heatmap": "a"}}, "'heatmap' needs a skeleton"),
        ("detector", {"outputs": {"boxes": "a"}}, "kind 'detector' needs a [detector] table"),
        ("detector", {"detector": {"format": "boxes"}, "outputs": {"labels": "a"}}, "[outputs] lacks boxes"),
        ("detector", {"detector": {"format": "yolox"}, "outputs": {"level8": "a"}}, "[outputs] lacks boxes"),
        ("detector", {"detector": RTMDET, "outputs": {"level8": "a"}}, "[outputs] lacks level16"),
        ("detector", {"detector": RTMDET, "outputs": {"class8": "a", "box8": "b"}}, "lacks class16, box16"),
    ],
)
def test_each_kind_needs_its_table_skeleton_and_outputs(kind: str, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(reason)):
        ModelSpec.model_validate({**SKETCH, "kind": kind, "skeleton": "coco17", **more})


@pytest.mark.parametrize(
    "roles", [("level8", "level16"), ("class8", "box8", "class16", "box16")], ids=["levels", "class and box"]
)
def test_rtmdet_heads_come_whole_or_split(roles: tuple[str, ...]) -> None:
    outputs = dict.fromkeys(roles, "y")
    ModelSpec.model_validate({**SKETCH, "kind": "detector", "detector": RTMDET, "outputs": outputs})


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(WHOLE.replace("stride = 8", "stride = 0").replace('"bgr"', '"grey"'), encoding="utf-8")
    with pytest.raises(ModelSpecError, match=r"input\.colour.*paf\.stride"):
        ModelSpec.read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000, None])
def test_files_that_are_no_toml(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "net.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelSpecError):
        ModelSpec.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "x"}', "[" * 100_000])
def test_metadata_that_is_no_spec(text: str) -> None:
    with pytest.raises(ModelSpecError, match=r"net\.onnx"):
        ModelSpec.from_json(text, "net.onnx")


def test_the_documentation_names_every_field() -> None:
    text = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z0-9_.]+)`", text, re.MULTILINE))
    assert documented == set(_fields(ModelSpec))


def test_the_example_of_the_documentation_is_a_valid_spec(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/models.md").read_text(encoding="utf-8"), re.DOTALL)
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        ModelSpec.read(path)
    assert blocks


def _fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        inner = [a for a in (field.annotation, *_arguments(field.annotation)) if _is_table(a)]
        names += _fields(inner[0], f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
        if len(_arguments(field.annotation)) > 2 and inner:  # `skeleton` may also be a name
            names.append(f"{prefix}{name}")
    return names


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
