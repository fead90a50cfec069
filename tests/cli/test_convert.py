"""``trt-pose convert``: one command from a checkpoint to a model that ``run`` finds, or to a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("onnxslim")
pytest.importorskip("cv2")

from converters.bundle_writer import write_bundle
from converters.source_network import open_source_network
from tests.converters.networks import small_model, small_spec
from tests.converters.pickles import torch2trt_pickle, write_torch_zip
from trt_pose_app.cli.convert import command
from trt_pose_app.errors import (
    ChecksumError,
    ConfigError,
    DependencyError,
    ModelNotFoundError,
    ModelSpecError,
    TrtPoseError,
)
from trt_pose_app.models import store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's models cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TRT_POSE_MODELS", raising=False)
    return tmp_path / "cache/trt-pose/models"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_bundle(small_model(), small_spec(), tmp_path / "source.onnx").path


def convert(*arguments: object) -> Result:
    texts = [*map(str, arguments), "--frames", "2", "--threads", "1"]
    return CliRunner().invoke(command, texts, catch_exceptions=False, standalone_mode=False)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


def test_the_result_goes_to_the_cache_and_is_found_by_name(source: Path, cache: Path) -> None:
    result = convert(source, "--input", "uint8-nhwc")
    assert result.return_value == 0
    assert result.stdout.strip() == str(cache / "small-uint8.onnx")
    found = store.find("small-uint8")
    found.verify()
    assert found.spec.input.dtype == "uint8"
    assert files(cache) == ["small-uint8.onnx", "small-uint8.toml"]


def test_a_network_in_need_of_nothing_is_not_copied_over_its_name(source: Path, cache: Path) -> None:
    """The copy in the cache would stand before the model of that name ever after."""
    with pytest.raises(ConfigError, match="ONNX network already"):
        convert(source)
    assert files(cache) == []
    assert convert(source, "--name", "twin").return_value == 0


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_other_precisions_hold_their_budget(source: Path, cache: Path, precision: str) -> None:
    # Random weights see people everywhere, and the least error moves them.
    lifted = [word for limit in ("argmax", "people", "shift_px") for word in ("--budget", f"{limit}=none")]
    result = convert(source, "--precision", precision, "--name", "made", *lifted)
    assert result.return_value == 0
    assert store.find("made").spec.precision == precision


def test_an_int8_network_is_not_quantised_again(source: Path, cache: Path) -> None:
    convert(source, "--precision", "int8", "--name", "made", "--force")
    with pytest.raises(ConfigError, match="int8 already"):
        convert("made", "--precision", "int8")
    assert files(cache) == ["made.onnx", "made.toml"]


def test_the_report_is_json_on_stdout_and_progress_on_stderr(source: Path, tmp_path: Path) -> None:
    result = convert(source, "-o", tmp_path / "out/mine.onnx", "--json")
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["passed"]
    assert report["name"] == "mine"
    assert report["written"] == [str(tmp_path / "out/mine.onnx"), str(tmp_path / "out/mine.toml")]
    assert {o["role"]: o["relative_max"] for o in report["parity"][0]["outputs"]} == {"cmap": 0, "paf": 0}
    assert {"read", "compare result", "write"} <= report["seconds"].keys()
    assert "compare result" in result.stderr


def test_a_broken_budget_writes_nothing_and_ends_with_1(source: Path, cache: Path) -> None:
    arguments = (source, "--precision", "int8", "--budget", "mean_error=0")
    result = convert(*arguments)
    assert result.return_value == 1
    assert result.stdout == ""
    assert "mean error / range is" in result.stderr
    assert "nothing was written" in result.stderr
    assert files(cache) == []
    forced = convert(*arguments, "--force")
    assert forced.return_value == 1
    assert files(cache) == ["small-int8.onnx", "small-int8.toml"]


def test_a_fixed_size_and_batch_are_in_the_graph_and_the_spec(source: Path, cache: Path) -> None:
    assert convert(source, "--input-size", "32x48", "--batch", "2").return_value == 0
    found = store.find("small-32x48-b2")
    sides = onnx.load(found.path).graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_value for side in sides] == [2, 3, 32, 48]
    assert (found.spec.input.height, found.spec.input.width) == (32, 48)


def test_an_installed_model_is_known_by_name(source: Path, cache: Path) -> None:
    convert(source, "--name", "first")
    assert convert("first", "--input", "uint8-nhwc").return_value == 0
    assert "first-uint8.onnx" in files(cache)


def _garbage(folder: Path) -> None:
    (folder / "bad.pth").write_bytes(b"this is no checkpoint" * 100)


def _truncated(folder: Path) -> None:
    path = folder / "bad.onnx"
    path.write_bytes(small_model().SerializeToString()[:-2000])
    path.with_suffix(".toml").write_bytes((folder / "source.toml").read_bytes())


def _changed(folder: Path) -> None:
    path = write_bundle(small_model(), small_spec(), folder / "bad.onnx").path
    path.write_bytes(small_model(noise=0.1).SerializeToString())


def _without_spec(folder: Path) -> None:
    (folder / "bad.onnx").write_bytes(small_model().SerializeToString())


@pytest.mark.parametrize(
    ("prepare", "name", "error"),
    [
        (_garbage, "bad.pth", ModelSpecError),
        (_truncated, "bad.onnx", (ModelSpecError, ChecksumError)),
        (_changed, "bad.onnx", ChecksumError),
        (_without_spec, "bad.onnx", ModelSpecError),
        (lambda folder: None, "absent.pth", ModelNotFoundError),
    ],
)
def test_a_bad_source_is_told_and_nothing_is_written(
    source: Path, cache: Path, tmp_path: Path, prepare: Any, name: str, error: type[TrtPoseError]
) -> None:
    prepare(tmp_path)
    with pytest.raises(error) as caught:
        convert(tmp_path / name)
    assert caught.value.exit_code == 4
    assert files(cache) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "many"], "many"),
        (["--batch", "0"], "0"),
        (["--input-size", "64"], "64"),
        (["--input-size", "60x96"], "60x96"),
        (["--budget", "speed=1"], "speed"),
        (["--budget", "argmax=high"], "argmax=high"),
        (["--name", "no/name"], "name"),
        (["-o", "mine.toml"], "toml"),
        (["-o", "source.onnx"], "over itself"),
        (["--opset", "17", "--name", "other"], "opset"),
        (["--calibration", "absent", "--name", "other"], "absent"),
        (["--to", "triton"], "folder"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_written(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(source.parent)
    before = files(source.parent)
    with pytest.raises(ConfigError, match=message) as caught:
        convert(source, *arguments)
    assert caught.value.exit_code == 2
    assert files(source.parent) == before
    assert files(cache) == []


def test_without_tensorrt_an_engine_is_refused_before_any_work(source: Path, cache: Path) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("TensorRT is installed")
    with pytest.raises(DependencyError, match="TensorRT"):
        convert(source, "--to", "engine")
    assert files(cache) == []


def test_a_triton_repository_holds_the_network(source: Path, tmp_path: Path) -> None:
    result = convert(source, "--to", "triton", "-o", tmp_path / "repository")
    assert result.return_value == 0
    assert files(tmp_path / "repository/small") == ["1", "config.pbtxt"]


def test_a_run_s_folder_stands_for_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"broken")
    with pytest.raises(ModelSpecError, match=r"last\.pt"):
        open_source_network(str(tmp_path))


@pytest.fixture
def torch2trt(tmp_path: Path) -> Path:
    """What the notebook of trt_pose saved: an engine and the names of its tensors."""
    names = {"input_names": ["input_0"], "output_names": ["output_0", "output_1"]}
    path = tmp_path / "resnet18_baseline_att_224x224_A_epoch_249_trt.pth"
    return write_torch_zip(path, torch2trt_pickle(b"ftrt" + bytes(range(256)) * 40, names))


def test_an_engine_of_torch2trt_is_taken_out_without_torch_or_tensorrt(torch2trt: Path, cache: Path) -> None:
    result = convert(torch2trt, "--to", "engine", "--json")
    assert result.return_value == 0
    report = json.loads(result.stdout)
    path = cache / "resnet18_baseline_att_224x224_A.engine"
    assert report["written"] == [str(path), str(path.with_suffix(".toml"))]
    assert path.read_bytes() == b"ftrt" + bytes(range(256)) * 40
    spec = store.find("resnet18_baseline_att_224x224_A").spec
    assert (spec.input.name, spec.outputs) == ("input_0", {"cmap": "output_0", "paf": "output_1"})


def test_an_engine_of_torch2trt_is_no_network(torch2trt: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match="from which no network can be had back") as caught:
        convert(torch2trt)
    assert "--to engine takes it out" in caught.value.hint
    assert files(cache) == []
