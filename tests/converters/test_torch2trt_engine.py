"""Engines out of files that torch2trt saved: with its very structure, and with nothing of torch installed."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest

from converters.checkpoints import recognise
from tests.converters.pickles import dumped, torch2trt_pickle, write_torch_legacy, write_torch_zip
from trt_pose_app.errors import ModelSpecError

ROOT = Path(__file__).parents[2]
PLAN = b"ftrt" + bytes(range(256)) * 40
NAMES = {"input_names": ["input_0"], "output_names": ["output_0", "output_1"]}
NOTEBOOK_NAME = "resnet18_baseline_att_224x224_A_epoch_249_trt.pth"
SPEC = """
name = "mine"
kind = "paf"
skeleton = "coco18"
input = {name = "input_0", width = 320, height = 256, colour = "rgb"}
outputs = {cmap = "output_0", paf = "output_1"}
paf = {stride = 4, component_order = "yx"}
origin = {licence = "MIT"}
"""


@pytest.mark.parametrize("write", [write_torch_zip, write_torch_legacy])
def test_the_notebooks_file(tmp_path: Path, write) -> None:
    checkpoint = recognise(write(tmp_path / NOTEBOOK_NAME, torch2trt_pickle(PLAN, NAMES)))
    assert checkpoint.family == "torch2trt"
    engine = checkpoint.engine()
    assert engine is not None
    assert engine[0] == PLAN
    spec = engine[1]
    assert (spec.name, spec.skeleton, spec.input.name, spec.input.width) == (
        "resnet18_baseline_att_224x224_A", "coco18", "input_0", 224,
    )  # fmt: skip
    assert spec.outputs == {"cmap": "output_0", "paf": "output_1"}
    assert checkpoint.onnx() is None
    assert checkpoint.describe().startswith("TensorRT engine of torch2trt, 0.0 MB, inputs input_0, outputs output_0")


def test_an_old_file_has_no_names(tmp_path: Path) -> None:
    content = OrderedDict(engine=bytearray(PLAN), input_names=["input_0"], output_names=["output_0", "output_1"])
    assert recognise(write_torch_zip(tmp_path / NOTEBOOK_NAME, dumped(content))).engine() is not None


def test_any_other_needs_a_spec(tmp_path: Path) -> None:
    path = write_torch_zip(tmp_path / "mine.pth", torch2trt_pickle(PLAN, NAMES))
    with pytest.raises(ModelSpecError, match=r"nothing says what its numbers mean .*--spec"):
        recognise(path)
    spec = tmp_path / "mine.toml"
    spec.write_text(SPEC)
    engine = recognise(path, spec=spec).engine()
    assert engine is not None
    assert engine[1].input.width == 320
    spec.write_text(SPEC.replace("output_1", "paf"))
    with pytest.raises(ModelSpecError, match="names other tensors than the engine has: inputs input_0, outputs output"):
        recognise(path, spec=spec)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"engine": b"", "input_names": ["a"], "output_names": ["b"]}, "its engine is empty"),
        ({"engine": PLAN, "input_names": 3, "output_names": ["b"]}, "its input_names are 3"),
        ({"engine": PLAN, "input_names": ["a"], "output_names": []}, r"its output_names are \[\]"),
        ({"a.engine": PLAN, "b.engine": PLAN}, r"engines inside it \(a, b\), not one engine"),
    ],
)
def test_wrong_ones(tmp_path: Path, content: dict[str, object], message: str) -> None:
    with pytest.raises(ModelSpecError, match=message):
        recognise(write_torch_zip(tmp_path / "x.pth", dumped(content, protocol=4)))


def test_no_torch_is_imported(tmp_path: Path) -> None:
    path = write_torch_zip(tmp_path / NOTEBOOK_NAME, torch2trt_pickle(PLAN, NAMES))
    code = (
        "import sys; sys.modules.update(torch=None, torch2trt=None, tensorrt=None, onnx=None)\n"
        "from pathlib import Path; from converters.checkpoints import recognise\n"
        f"plan, _ = recognise(Path({str(path)!r})).engine(); print(len(plan))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert int(done.stdout) == len(PLAN)


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
def test_saved_by_torch_itself(tmp_path: Path, as_zip: bool) -> None:
    torch = pytest.importorskip("torch")

    class TRTModule(torch.nn.Module):
        """Saves as torch2trt's does: through a hook, the engine as a bytearray beside its names."""

        def __init__(self) -> None:
            super().__init__()
            self._register_state_dict_hook(TRTModule._on_state_dict)

        def _on_state_dict(self, state_dict, prefix, local_metadata):
            state_dict[prefix + "engine"] = bytearray(PLAN)
            for key, names in NAMES.items():
                state_dict[prefix + key] = names
            state_dict[prefix + "input_flattener"] = {"schema": (0,), "size": 1}

    path = tmp_path / NOTEBOOK_NAME
    torch.save(TRTModule().state_dict(), path, _use_new_zipfile_serialization=as_zip)
    engine = recognise(path).engine()
    assert engine is not None
    assert engine[0] == PLAN
