"""The package as a whole: what importing it costs, what it offers, and what its wheel holds."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import trt_pose_app

ROOT = Path(__file__).parents[1]
HEAVY = ("cv2", "torch", "onnxruntime", "tensorrt", "pydantic", "paho", "av", "rich")


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after ``code``."""
    code += "\nimport sys; print('\\n'.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import trt_pose_app",
        "import trt_pose_app.cli",
        "import trt_pose_app.types, trt_pose_app.skeleton, trt_pose_app.geometry, trt_pose_app.decode.paf",
    ],
)
def test_importing_pulls_in_nothing_heavy(code: str) -> None:
    assert not modules_after(code) & set(HEAVY)


def test_help_needs_no_verb_s_imports() -> None:
    code = "from trt_pose_app.cli import cli\ncli(['--help'], standalone_mode=False)"
    assert not modules_after(code) & set(HEAVY)


def test_every_public_name_is_there() -> None:
    for name in trt_pose_app.__all__:
        assert getattr(trt_pose_app, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = trt_pose_app.nonsense


@pytest.mark.skipif(Path("/etc/nv_tegra_release").exists(), reason="this is a Jetson: run the script itself")
def test_the_acceptance_script_wants_a_board() -> None:
    done = subprocess.run([ROOT / "scripts/jetson_acceptance.sh"], capture_output=True, text=True)
    assert done.returncode == 3
    assert "this is no Jetson" in done.stderr


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env={**os.environ, **env}, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_installs_without_a_compiler_and_numpy_takes_over_with_one_warning(tmp_path: Path) -> None:
    source = tmp_path / "source"
    run("git", "clone", "--quiet", ROOT, source)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, source, CC="/none", CXX="/none")
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith(".so")]
    for carried in (
        "trt_pose_app/py.typed",
        "trt_pose_app/models/zoo.toml",
        "trt_pose_app/weights/openpose-lightweight.toml",
    ):
        assert carried in names
    assert any(name.startswith("trt_pose_app/") and name.endswith(".schema.json") for name in names)

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    code = (
        "import warnings; warnings.simplefilter('always')\n"
        "from trt_pose_app.decode.paf import PafDecoder, PafLayout\n"
        "from trt_pose_app.skeleton import COCO18\n"
        "layout = PafLayout(COCO18.limbs)\n"
        "PafDecoder(COCO18, layout); PafDecoder(COCO18, layout)\n"
    )
    warned = run(python, "-I", "-c", code)  # -I: not the checkout's package
    assert warned.count("Warning") == 1, warned
    assert "trt-pose" in run(tmp_path / "venv/bin/trt-pose", "--version")
