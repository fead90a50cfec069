from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.models.conftest import CONTENT, SHA256, Served, Server, server  # noqa: F401  the fixture
from tests.models.test_store import onnx_bytes, spec_text
from trt_pose_app.cli import main
from trt_pose_app.cli import models as verb
from trt_pose_app.models.zoo import parse_zoo

ZOO = """
[net]
kind = "heatmap"
format = "{format}"
skeleton = "coco17"
width = 192
height = 256
licence = "Apache-2.0"
source = "https://example.org/net"
urls = ["{url}"]
{rest}
"""


class Shell:
    """Runs ``trt-pose models ...`` in this process and gives back exit code, stdout and stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["trt-pose", "models", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = self._capsys.readouterr()
        return int(caught.value.code or 0), out, err


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder named by TRT_POSE_MODELS with one good network; the cache is empty."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "good.onnx").write_bytes(onnx_bytes())
    (folder / "good.toml").write_text(spec_text("good"))
    monkeypatch.setenv("TRT_POSE_MODELS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def run(models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def _use_zoo(monkeypatch: pytest.MonkeyPatch, url: str, rest: str = "", form: str = "onnx") -> None:
    zoo = parse_zoo(ZOO.format(url=url, rest=rest, format=form), "test")
    monkeypatch.setattr(verb, "read_zoo", lambda: zoo)


def test_list_shows_what_is_here_and_what_can_be_fetched(run: Shell, models: Path) -> None:
    code, out, _ = run("list")
    assert code == 0
    here, _, available = out.partition("available")
    assert [line.split()[:3] for line in here.splitlines() if "good" in line] == [["good", "detector", "0.0"]]
    assert str(models / "good.onnx") in here
    assert "resnet18_baseline_att_224x224_A" in available
    assert "non-commercial" in available
    assert all(len(line) <= 120 for line in available.splitlines())
    (licence,) = [line.split()[1:] for line in run("show", "openpose-vgg-cmu")[1].splitlines() if "licence " in line]
    assert licence[-2:] == ["OpenPose", "licence)"]  # whole


def test_list_as_json(run: Shell, models: Path) -> None:
    (models / "bare.onnx").write_bytes(onnx_bytes())
    (models / "rtmdet-nano-person.pth").write_bytes(b"")
    code, out, _ = run("list", "--json")
    listed = json.loads(out)
    here = {file["name"]: file for file in listed["installed"]}
    assert code == 0
    assert here["good"] == {
        "name": "good",
        "kind": "detector",
        "bytes": 2,
        "licence": "MIT",
        "path": str(models / "good.onnx"),
        "problem": None,
    }
    assert here["bare"]["problem"] == "no spec"
    assert here["rtmdet-nano-person"]["kind"] == "detector"
    names = [entry["name"] for entry in listed["available"]]
    assert "rtmdet-m-person" in names
    assert "rtmdet-nano-person" not in names
    assert json.loads(run("list", "--installed", "--json")[1]) == {"installed": listed["installed"]}


def test_path_prints_only_the_path(run: Shell, models: Path) -> None:
    assert run("path", "good") == (0, f"{models / 'good.onnx'}\n", "")
    assert run("path", models / "good.onnx")[:2] == (0, f"{models / 'good.onnx'}\n")
    assert json.loads(run("path", "good", "--json")[1]) == {"path": str(models / "good.onnx")}
    (models / "old.pth").write_bytes(b"")
    assert run("path", "old")[1] == f"{models / 'old.pth'}\n"


@pytest.mark.parametrize(
    "words", [("path", "goood"), ("show", "goood"), ("verify", "goood"), ("pull", "rtmpose-s-coco71")]
)
def test_an_unknown_name_ends_with_code_4_and_a_hint(run: Shell, words: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (4, "")
    assert "error: " in err
    assert "hint: " in err
    if words[0] != "verify":
        assert "did you mean" in err


def test_show_an_installed_model(run: Shell, models: Path) -> None:
    code, out, _ = run("show", "good", "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["path"] == str(models / "good.onnx")
    assert shown["label"] == f"good@{shown['sha256'][:8]}"
    assert shown["spec"]["input"]["name"] == "x"
    assert shown["spec"]["outputs"] == {"boxes": "y"}
    lines = dict(line.split(maxsplit=1) for line in run("show", "good")[1].splitlines())
    assert lines["spec.origin.licence"] == "MIT"
    assert lines["spec.outputs.boxes"] == "y"


def test_show_a_model_of_the_zoo(run: Shell, models: Path) -> None:
    shown = json.loads(run("show", "rtmdet-nano-person", "--json")[1])
    assert shown["installed"] is False
    assert shown["sha256"].startswith("05d8511e")
    assert shown["urls"]
    (models / "rtmdet-nano-person.pth").write_bytes(b"")
    shown = json.loads(run("show", "rtmdet-nano-person", "--json")[1])
    assert shown["path"] == str(models / "rtmdet-nano-person.pth")


def test_pull_puts_a_verified_file_into_the_cache(
    run: Shell,
    server: Server,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _use_zoo(monkeypatch, server.add("net.onnx", Served()), f'sha256 = "{SHA256}"')
    expected = tmp_path / "cache/trt-pose/models/net.onnx"
    code, out, err = run("pull", "net")
    assert (code, out) == (0, f"{expected}\n")
    assert expected.read_bytes() == CONTENT
    # No bar in a pipe, only the licence.
    assert err == "net: licence Apache-2.0; from https://example.org/net\n"
    result = json.loads(run("pull", "net", "--json", "--to", tmp_path / "other")[1])
    assert result == [{"name": "net", "path": str(tmp_path / "other/net.onnx"), "sha256": SHA256, "verified": True}]


@pytest.mark.parametrize(("prefix", "words"), [(SHA256[:8], "it begins as"), ("00000000", "it begins NOT as")])
def test_pull_tells_what_it_could_not_verify(
    run: Shell,
    server: Server,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    words: str,
) -> None:
    _use_zoo(monkeypatch, server.add("net.pth", Served()), f'sha256_prefix = "{prefix}"', "pth")
    code, _, err = run("pull", "net")
    assert code == 0
    assert f"NOT VERIFIED, nobody published a checksum of it; to pin it, note its sha256 {SHA256}" in err
    assert words in err
    assert "make one with `trt-pose convert " in err


def test_a_wrong_checksum_ends_with_code_4(
    run: Shell,
    server: Server,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _use_zoo(monkeypatch, server.add("net.onnx", Served()), f'sha256 = "{"0" * 64}"')
    code, out, err = run("pull", "net")
    assert (code, out) == (4, "")
    assert f"its sha256 is {SHA256}, not {'0' * 64}" in err
    assert not list((tmp_path / "cache/trt-pose/models").iterdir())


def test_pull_from_a_stick_then_verify_then_damage(run: Shell, models: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "own.onnx").write_bytes(onnx_bytes({"k": "v"}))
    (stick / "own.toml").write_text(spec_text("own"))
    code, out, err = run("pull", "own", "--from", stick)
    assert (code, Path(out.strip()).name) == (0, "own.onnx")
    assert "NOT VERIFIED" in err
    status = {result["name"]: result["status"] for result in json.loads(run("verify", "--json")[1])}
    assert status == {"good": "unknown", "own": "ok", "pose-nano": "ok"}  # the last one ships with the package
    Path(out.strip()).write_bytes(onnx_bytes({"k": "w"}))
    code, out, err = run("verify")
    assert code == 4
    assert sorted(line.split()[0] for line in out.splitlines()) == ["mismatch", "ok", "unknown"]
    assert "not what they should be" in err
    assert run("verify", "good")[0] == 0


def test_a_bar_is_drawn_on_a_terminal_only(
    run: Shell,
    server: Server,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _use_zoo(monkeypatch, server.add("net.onnx", Served()))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, out, err = run("pull", "net")
    assert (code, out.count("\n")) == (0, 1)
    assert "524.3" in err  # kilobytes, as the bar counts them


def test_help_names_every_subcommand(run: Shell) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert {"list", "show", "path", "pull", "verify"} <= set(out.split())
