"""A model folder with the scripted network, and the installed command in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.networks import write_scripted_pose_network
from tests.sources.conftest import _gstreamer, camera  # noqa: F401 - fixtures

COMMAND = [sys.executable, "-c", "from trt_pose_app.cli import main; main()"]
SAMPLE = Path(__file__).parents[2] / "scripts/sample"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the bundle ``scripted``: two people in every picture."""
    folder = tmp_path_factory.mktemp("models")
    write_scripted_pose_network(folder)
    return folder


@pytest.fixture
def environment(models: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRT_POSE")}
    return {**clean, "TRT_POSE_MODELS": str(models)}


@pytest.fixture
def trt_pose(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one command to its end in ``tmp_path``; stdout and stderr are captured."""

    def run(*arguments: object, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout_s)

    return run


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command that runs until the test ends it."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three good pictures, numbered as COCO does, and a damaged one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (7, 42, 139):
        shutil.copy(SAMPLE / "people.jpg", folder / f"{number:012d}.jpg")
    (folder / "000000000050.jpg").write_bytes(b"\xff\xd8 this is no picture")
    return folder
