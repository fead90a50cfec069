import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from trt_pose_app.cli import cli
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TRT_POSE")]:
        monkeypatch.delenv(name)
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["config", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_init_writes_a_file_that_checks_and_loads_as_the_defaults(here: Path) -> None:
    assert run("init", "pose.toml") == "wrote pose.toml\n"
    assert run("init") == run("init", "-") == Path("pose.toml").read_text(encoding="utf-8")
    assert run("check", "pose.toml") == "pose.toml: no mistakes\n"
    shown = json.loads(run("show", "--config", "pose.toml", "--json"))
    assert shown["config"] == Config().model_dump(mode="json")
    assert [path.name for path in here.iterdir()] == ["pose.toml"]


def test_init_keeps_what_is_there_unless_forced(here: Path) -> None:
    Path("pose.toml").write_text("mine")
    result = CliRunner().invoke(cli, ["config", "init", "pose.toml"])
    assert isinstance(result.exception, ConfigError)
    assert "--force" in result.exception.hint
    assert Path("pose.toml").read_text() == "mine"
    run("init", "pose.toml", "--force")
    assert Path("pose.toml").read_text() != "mine"


def test_init_says_when_it_cannot_write(here: Path) -> None:
    result = CliRunner().invoke(cli, ["config", "init", "absent/pose.toml"])
    assert isinstance(result.exception, ConfigError)
    assert "No such file" in result.exception.message


def test_show_takes_file_environment_and_set(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pose.toml").write_text("[source]\nfps = 25\nuri = 'rtsp://u:hunter2@host'\n")
    monkeypatch.setenv("TRT_POSE_CONFIG", "pose.toml")
    monkeypatch.setenv("TRT_POSE__VIDEO__CRF", "30")
    shown = run("show", "--set", "draw.boxes=true", "--origin")
    lines = {line.split(" = ")[0]: " ".join(line.split()) for line in shown.splitlines() if " = " in line}
    assert lines["fps"] == "fps = 25.0 # file pose.toml:2"
    assert lines["uri"] == 'uri = "rtsp://***@host" # file pose.toml:3'
    assert lines["crf"] == "crf = 30 # env TRT_POSE__VIDEO__CRF"
    assert lines["boxes"] == "boxes = true # --set"
    assert lines["preset"].endswith("# default")
    document = json.loads(run("show", "--json", "--origin"))
    assert document["origins"]["source.fps"] == "file pose.toml:2"
    assert "hunter2" not in json.dumps(document)


def test_check_lists_all_mistakes_and_ends_with_2(here: Path) -> None:
    Path("pose.toml").write_text("[source]\nfsp = 25\n[video]\ncrf = 99\n")
    lines = run("check", "pose.toml", code=2).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["pose.toml:2:", "pose.toml:4:"]
    document = json.loads(run("check", "pose.toml", "--json", code=2))
    assert not document["ok"]
    assert document["mistakes"][0]["where"] == "pose.toml:2"
    assert "source.fps" in document["mistakes"][0]["text"]


def test_as_a_process_mistakes_go_to_stderr_with_a_hint(here: Path) -> None:
    command = [sys.executable, "-c", "from trt_pose_app.cli import main; main()", "config", "show"]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "TRT_POSE__DRAW__BOXS": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "TRT_POSE__DRAW__BOXS: draw.boxs: no such field or section; did you mean draw.boxes?" in result.stderr
    assert "hint: " in result.stderr
