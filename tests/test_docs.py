"""Every link in the documentation resolves and every code block does what it says.

A ``sh`` block's `trt-pose` lines are run, in a folder where the files they read exist; those that need a camera, a
broker, a network or a screen are checked word by word instead: verb, options and configuration fields must exist.
Blocks of `python`, `toml` and `json` are run or read. Blocks in other languages (`text`, `ini`) are not checked.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import click
import pytest

from tests.networks import write_scripted_pose_network
from trt_pose_app.cli import cli
from trt_pose_app.config.load import load_config
from trt_pose_app.config.schema import Config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("weights/*.md"), *ROOT.glob("scripts/**/*.md")])
ELSEWHERE = re.compile(
    r"csi://|rtsps?://|https?://|/dev/|mqtts?://|mqtt\+|display://|\bpull\b|/mnt|/media|--mqtt|/etc/"
)


def blocks(language: str) -> list[object]:
    """Return (page:line, code) of every fenced block in ``language``, as parameters."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            found.append(pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{line}"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.fixture(scope="session")
def default_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache whose model has the default's name: the documentation is tested, not a network's quality."""
    cache = tmp_path_factory.mktemp("cache")
    folder = cache / "trt-pose/models"
    folder.mkdir(parents=True)
    write_scripted_pose_network(folder, Config().model.name)
    return cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the pictures, videos and configuration that the documentation talks about."""
    sample = ROOT / "scripts/sample"
    for name in ("people.mp4", "walk.mp4", "video.mp4", "in.mp4"):
        shutil.copy(sample / "people.mp4", tmp_path / name)
    (tmp_path / "pictures").mkdir()
    for name in ("people.jpg", "photo.jpg", "picture.jpg", "pictures/000000000042.jpg"):
        shutil.copy(sample / "people.jpg", tmp_path / name)
    (tmp_path / "instances.json").write_text('{"images": [{"id": 1, "file_name": "000000000042.jpg"}]}')
    return tmp_path


def environment(default_model: Path) -> dict[str, str]:
    scripts = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(default_model)}


@pytest.mark.parametrize("code", blocks("(?:sh|bash)"))
def test_commands(code: str, folder: Path, default_model: Path) -> None:
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if not words or words[0] != "trt-pose":
            continue
        if ELSEWHERE.search(line) or words[1] not in ("run", "predict", "bench", "config"):
            check_words(words[1:])
            continue
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment(default_model), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def check_words(words: list[str]) -> None:
    """Parse a command line without running it."""
    context, command, rest = click.Context(cli), cli, words
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no verb {' '.join(words)}"
        command, rest = found, rest[1:]
    parsed = command.make_context(words[0], list(takewhile(lambda word: word not in "|>&", rest))).params
    load_config(sets=parsed.get("sets") or ())


@pytest.mark.parametrize("code", blocks("python"))
def test_programs(code: str, folder: Path, default_model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder, env=environment(default_model), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", blocks("toml"))
def test_toml(code: str) -> None:
    tomllib.loads(code)


@pytest.mark.parametrize("code", blocks("json"))
def test_json(code: str) -> None:
    json.loads(code)
