"""A trt_pose task file trains what trt_pose would train."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.geometry import invert
from trt_pose_app.training.placement import trt_pose_placement
from trt_pose_app.training.recipe import Recipe, TrtPosePlacement, read_recipe

CELLS = 16
ROOT = Path(__file__).parents[2]


def task(folder: Path, **changes: Any) -> dict[str, Any]:
    """A task of the shape of trt_pose's own, on the stick people."""
    dataset = {
        "images_dir": "photos",
        "annotations_file": "people.json",
        "category_name": "person",
        "image_shape": [64, 64],
        "target_shape": [CELLS, CELLS],
        "stdev": 0.025,
        "is_bmp": False,
        "random_angle": [-0.2, 0.2],
        "random_scale": [0.5, 2.0],
        "random_translate": [-0.2, 0.2],
    }
    return {
        "train_dataset": dataset,
        "test_dataset": {**dataset, "random_angle": [0, 0], "random_scale": [1, 1], "random_translate": [0, 0]},
        "stdev_schedule": {"0": 0.05},
        "color_jitter": {"brightness": 0.05, "contrast": 0.05, "saturation": 0.05, "hue": 0.01},
        "train_loader": {"batch_size": 4, "shuffle": True, "num_workers": 0, "pin_memory": True},
        "test_loader": {"batch_size": 4},
        "model": {
            "name": "resnet18_baseline_att",
            "kwargs": {"cmap_channels": 17, "paf_channels": 38, "upsample_channels": 16, "num_upsample": 3}
            | {"pretrained": False},
        },
        "optimizer": {"name": "Adam", "kwargs": {"lr": 1e-3}},
        "epochs": 3,
        "lr_schedule": {"0": 1e-3, "1": 1e-4, "2": 1e-5},
        "checkpoints": {"interval": 1},
    } | changes


def write(folder: Path, content: Any) -> Path:
    path = folder / "resnet18_baseline_att_64x64_A.json"
    path.write_text(json.dumps(content))
    return path


def test_every_setting_finds_its_place(stick_people):
    recipe = read_recipe(write(stick_people, task(stick_people)))
    assert recipe.name == "resnet18_baseline_att_64x64_A"
    assert recipe.network.kind == "resnet18_baseline_att"
    assert recipe.network.upsample_channels == 16
    assert recipe.data.annotations == stick_people / "people.json"
    assert recipe.schedule.sizes == ((0.0, 64),)
    assert recipe.targets.cmap_sigma == pytest.approx(0.05 * CELLS / np.sqrt(2))
    # Six photos in batches of four are two steps an epoch.
    assert recipe.schedule.steps == 6
    assert recipe.schedule.rates == ((0, 1e-3), (2, 1e-4), (4, 1e-5))
    assert recipe.targets.mask == "none"
    assert recipe.augment.flip == 0


def test_settings_can_be_laid_over_a_task(stick_people):
    path = write(stick_people, task(stick_people, mask_unlabeled=True))
    recipe = read_recipe(path, ["schedule.batch=2", "data.skeleton=coco18"])
    assert (recipe.schedule.batch, recipe.data.skeleton, recipe.targets.mask) == (2, "coco18", "unlabelled")


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        (lambda t: t["train_dataset"].update(image_shape=[368, 368], target_shape=[92, 92]), "368x368"),
        (lambda t: t["train_dataset"].update(image_shape=[64, 96]), "64x96"),
        (lambda t: t["model"]["kwargs"].update(num_upsample=2), "num_upsample 2"),
        (lambda t: t["optimizer"].update(name="SGD"), "SGD"),
        (lambda t: t.pop("model"), "no trt_pose task"),
        (lambda t: t["train_dataset"].update(annotations_file="none.json"), "cannot read"),
    ],
)
def test_what_trt_pose_could_not_train_either_is_told(stick_people, change, sign):
    content = task(stick_people)
    change(content)
    with pytest.raises(ConfigError, match=sign):
        read_recipe(write(stick_people, content))


@pytest.mark.parametrize("photo", [(80, 60), (60, 80), (64, 64)])
@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_photos_lie_where_trt_poses_trainer_puts_them(photo, keep_aspect_ratio):
    """Its quad: the picture's corners as shares of the photo, (x, y) rows times R, shifted, scaled."""
    ranges = TrtPosePlacement(
        angle=(0.3, 0.3), scale=(1.4, 1.4), translate=(0.1, 0.1), keep_aspect_ratio=keep_aspect_ratio
    )
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float) - 0.5
    aspect = photo[0] / photo[1]
    if keep_aspect_ratio:
        corners *= (1, aspect) if aspect > 1 else (1 / aspect, 1)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    quad = (corners @ turn + 0.1) * 1.4 + 0.5
    inverse = invert(trt_pose_placement(photo, (64, 64), ranges, np.random.default_rng(0)))
    edges = np.array([[0, 0], [0, 64], [64, 64], [64, 0]]) - 0.5  # in coordinates of pixel centres
    ours = (edges @ inverse[:, :2].T + inverse[:, 2] + 0.5) / photo
    np.testing.assert_allclose(ours, quad, atol=1e-9)


def trained(recipe: Recipe, folder: Path, stop_at: int | None = None) -> dict[str, Any]:
    from trt_pose_app.training.checkpoint import read_checkpoint
    from trt_pose_app.training.coco import read_training_data
    from trt_pose_app.training.loop import CHECKPOINT, Training

    for step, _ in Training(recipe, read_training_data(recipe.data), None, folder).steps():
        if step == stop_at:
            break
    return read_checkpoint(folder / CHECKPOINT)


def test_a_task_trains_and_resumes_bit_by_bit(stick_people, tmp_path):
    torch = pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("torchvision")
    recipe = read_recipe(write(stick_people, task(stick_people)), ["schedule.threads=1", "checkpoint_steps=2"])
    whole = trained(recipe, tmp_path / "whole")
    assert trained(recipe, tmp_path / "parts", stop_at=3)["step"] == 2
    parts = trained(recipe, tmp_path / "parts")
    assert whole["step"] == parts["step"] == 6
    assert all(torch.equal(tensor, parts["network"][name]) for name, tensor in whole["network"].items())


def lspet_task(shared: Path, tmp_path: Path) -> Path:
    content = task(tmp_path)
    for name in ("train_dataset", "test_dataset"):
        content[name] |= {"images_dir": "val", "annotations_file": "val.json"}
    (tmp_path / "val").symlink_to(shared / "images/lspet/val")
    (tmp_path / "val.json").symlink_to(shared / "images/lspet/val.json")
    return write(tmp_path, content)


LSPET_SETTINGS = ["schedule.threads=1", "schedule.batch=2", "data.cache_gb=0.0", "checkpoint_steps=1"]


@pytest.mark.shared
def test_a_task_trains_on_lspet(shared, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("torchvision")
    recipe = read_recipe(lspet_task(shared, tmp_path), [*LSPET_SETTINGS, "schedule.steps=3"])
    assert trained(recipe, tmp_path / "run")["step"] == 3


@pytest.mark.shared
@pytest.mark.slow
def test_a_killed_task_on_lspet_goes_on_bit_by_bit(shared, tmp_path):
    torch = pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("torchvision")
    from trt_pose_app.training.checkpoint import read_checkpoint
    from trt_pose_app.training.loop import CHECKPOINT

    path = lspet_task(shared, tmp_path)
    settings = [*LSPET_SETTINGS, "schedule.steps=6"]
    sets = [argument for setting in settings for argument in ("--set", setting)]

    def start(folder: str) -> subprocess.Popen[bytes]:
        code = "from trt_pose_app.cli import main; main()"
        command = [sys.executable, "-c", code, "train", str(path), "--run", str(tmp_path / folder), *sets]
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})

    killed, checkpoint = start("killed"), tmp_path / "killed" / CHECKPOINT
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)
    assert read_checkpoint(checkpoint)["step"] < 6
    assert start("killed").wait(timeout=100) == 0
    parts, whole = read_checkpoint(checkpoint), trained(read_recipe(path, settings), tmp_path / "whole")
    assert whole["step"] == parts["step"] == 6
    for kind in ("network", "ema"):
        assert all(torch.equal(tensor, parts[kind][name]) for name, tensor in whole[kind].items())
