"""``trt-pose train``: data is looked through without torch; everything else says what it needs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("cv2")

from tests.training.conftest import stick_people  # noqa: F401  # a fixture
from trt_pose_app.cli.train import command
from trt_pose_app.errors import ConfigError, DependencyError, ModelNotFoundError

HAS_TORCH = importlib.util.find_spec("torch") is not None


@pytest.fixture
def recipe(stick_people: Path) -> Path:  # noqa: F811
    path = stick_people / "tiny.toml"
    path.write_text(
        f'name = "tiny"\n[data]\nimages = "{stick_people}/photos"\nannotations = "{stick_people}/people.json"\n'
        'skeleton = "coco18"\nworkers = 0\n[network]\ntrunk_channels = 8\nwidth = 8\n'
        "[schedule]\nsteps = 2\nbatch = 2\nsizes = [[0.0, 64]]\nwarm_up_steps = 1\nthreads = 1\n"
    )
    return path


def test_check_lists_broken_missing_and_misdescribed_photos(recipe: Path) -> None:
    photos = recipe.parent / "photos"
    (photos / "0.png").write_bytes(b"no picture")
    (photos / "1.png").unlink()
    (photos / "2.png").write_bytes((photos / "3.png").read_bytes()[:40])
    result = CliRunner().invoke(command, [str(recipe), "--check"], catch_exceptions=False, standalone_mode=False)
    assert result.return_value == 1
    lines = result.stdout.splitlines()
    assert [line.partition(": ")[2] for line in lines] == ["no such file", "cannot be decoded", "cannot be decoded"]
    assert "5 photos, 5 people, 3 flaws" in result.stderr


def test_check_counts_one_flaw_as_one_and_none_as_good(recipe: Path) -> None:
    check = [str(recipe), "--check"]
    result = CliRunner().invoke(command, check, catch_exceptions=False, standalone_mode=False)
    assert (result.return_value, result.stdout, result.stderr) == (0, "", "6 photos, 6 people, 0 flaws\n")
    (recipe.parent / "photos/1.png").unlink()
    result = CliRunner().invoke(command, check, catch_exceptions=False, standalone_mode=False)
    assert (result.return_value, result.stderr) == (1, "5 photos, 5 people, 1 flaw\n")


def test_a_wrong_recipe_is_an_error(recipe: Path) -> None:
    with pytest.raises(ConfigError):
        CliRunner().invoke(command, [str(recipe), "--set", "schedule.speed=9"], catch_exceptions=False)


@pytest.mark.skipif(HAS_TORCH, reason="torch is installed")
def test_without_torch_the_hint_names_the_extra(recipe: Path) -> None:
    with pytest.raises(DependencyError, match=r"trt-pose-app\[train\]"):
        CliRunner().invoke(command, [str(recipe)], catch_exceptions=False)


@pytest.mark.skipif(not HAS_TORCH, reason="training needs torch")
def test_a_run_trains_goes_on_and_is_exported(recipe: Path, tmp_path: Path) -> None:
    run, network = tmp_path / "run", tmp_path / "tiny.onnx"
    with pytest.raises(ModelNotFoundError):
        CliRunner().invoke(command, [str(recipe), "--run", str(run), "--export", str(network)], catch_exceptions=False)
    for steps in (2, 3):
        arguments = [str(recipe), "--run", str(run), "--set", f"schedule.steps={steps}"]
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.stdout.strip() == str(run)
    CliRunner().invoke(command, [str(recipe), "--run", str(run), "--export", str(network)], catch_exceptions=False)
    assert network.stat().st_size > 10_000
