"""A run: the same result whether or not it was interrupted, and a network that the run time understands."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError, DependencyError, ModelNotFoundError, ModelSpecError
from trt_pose_app.training.coco import TrainingData, read_training_data
from trt_pose_app.training.recipe import Recipe

torch = pytest.importorskip("torch", reason="training needs torch")

from trt_pose_app.training.checkpoint import read_checkpoint, save_checkpoint  # noqa: E402
from trt_pose_app.training.export import export_onnx  # noqa: E402
from trt_pose_app.training.loop import CHECKPOINT, Training  # noqa: E402
from trt_pose_app.training.rate import rate_at  # noqa: E402
from trt_pose_app.training.samples import Samples  # noqa: E402
from trt_pose_app.training.training_photos import TrainingPhotos  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tiny_recipe: Recipe) -> TrainingData:
    return read_training_data(tiny_recipe.data)


def assert_same(one: Path, other: Path) -> None:
    first, second = (read_checkpoint(folder / CHECKPOINT) for folder in (one, other))
    assert first["step"] == second["step"]
    for part in ("network", "ema"):
        for name, tensor in first[part].items():
            assert torch.equal(tensor, second[part][name]), f"{part} {name}"


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tiny_recipe, data, tmp_path):
    for _ in Training(tiny_recipe, data, data.main, tmp_path / "whole").steps():
        pass
    interrupted = Training(tiny_recipe, data, data.main, tmp_path / "parts")
    for step, _ in interrupted.steps():
        if step == 3:
            break  # the checkpoint on disk is of step 2
    resumed = Training(tiny_recipe, data, data.main, tmp_path / "parts")
    assert resumed.step == 2
    for _ in resumed.steps():
        pass
    assert_same(tmp_path / "whole", tmp_path / "parts")
    with (tmp_path / "whole/log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["4"]
    assert (tmp_path / "whole/step-000004.jpg").stat().st_size > 1000


@pytest.mark.slow
def test_a_killed_run_is_continued_by_the_same_command(tiny_recipe, data, stick_people, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        f'name = "tiny"\ncheckpoint_steps = 1\n[data]\nimages = "{stick_people}/photos"\n'
        f'annotations = "{stick_people}/people.json"\nskeleton = "coco18"\nworkers = 0\n'
        "[network]\ntrunk_channels = 8\nwidth = 8\n"
        "[schedule]\nsteps = 12\nbatch = 2\nsizes = [[0.0, 64]]\nwarm_up_steps = 1\nthreads = 1\n"
    )

    def start(folder: str) -> subprocess.Popen[bytes]:
        code = "from trt_pose_app.cli import main; main()"
        command = [sys.executable, "-c", code, "train", str(recipe), "--run", str(tmp_path / folder)]
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})

    killed = start("killed")
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed" / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)
    assert read_checkpoint(tmp_path / "killed" / CHECKPOINT)["step"] < 12
    for folder in ("killed", "whole"):
        assert start(folder).wait(timeout=100) == 0
    assert_same(tmp_path / "killed", tmp_path / "whole")


def test_a_run_of_another_network_is_not_continued(tiny_recipe, data, tmp_path):
    Training(tiny_recipe, data, None, tmp_path / "run").save()
    wider = tiny_recipe.model_copy(update={"network": tiny_recipe.network.model_copy(update={"width": 16})})
    with pytest.raises(ConfigError, match="another network"):
        Training(wider, data, None, tmp_path / "run")


def test_a_damaged_checkpoint_is_told(tmp_path):
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ModelSpecError, match="no checkpoint"):
        read_checkpoint(tmp_path / "last.pt")


def test_a_checkpoint_never_lies_half_written_under_its_name(tmp_path):
    save_checkpoint(tmp_path / "last.pt", {"step": 1})
    save_checkpoint(tmp_path / "last.pt", {"step": 2})
    assert read_checkpoint(tmp_path / "last.pt") == {"step": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_a_broken_photo_is_skipped_and_counted(tiny_recipe, data, stick_people):
    (stick_people / "photos/2.png").write_bytes(b"no picture")
    for cache_gb in (0.0, 1.0):
        recipe = tiny_recipe.model_copy(update={"data": tiny_recipe.data.model_copy(update={"cache_gb": cache_gb})})
        samples = Samples(data, recipe, 4)
        assert all(samples[number, 64][0].shape == (3, 64, 64) for number in range(12))
        assert len(samples.broken) == 1


def test_sample_numbers_walk_through_every_photo(tiny_recipe, data):
    samples = Samples(data, tiny_recipe, 4)
    first, again, next_pass = samples[3, 64][0], samples[3, 64][0], samples[3 + len(data.main.photos), 64][0]
    assert torch.equal(first, again)
    assert not torch.equal(first, next_pass)


def test_further_photos_take_their_share_of_the_places(data):
    photos = TrainingPhotos(TrainingData(data.main, ((data.main, 0.3), (data.main, 0.2))), cache_gb=0.0)
    rng = np.random.default_rng(0)
    seen = [photos.exchanged(0, rng) for _ in range(400)]
    shares = np.bincount(np.array(seen) // len(data.main.photos), minlength=3) / len(seen)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.06)


def test_an_export_computes_what_the_averaged_network_does(tiny_recipe, data, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    training = Training(tiny_recipe, data, None, tmp_path / "run")
    for _ in training.steps():
        pass
    export_onnx(tmp_path / "run", tmp_path / "tiny.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 64, 64), (2, 3, 96, 32), (1, 3, 32, 96)):
        pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        with torch.no_grad():
            expected = training.ema.network(torch.from_numpy(pixels))
        for ours, theirs in zip(session.run(["cmap", "paf"], {"image": pixels}), expected):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


def test_there_is_nothing_to_export_before_training(tmp_path):
    with pytest.raises(ModelNotFoundError):
        export_onnx(tmp_path, tmp_path / "x.onnx")


def test_the_rate_warms_up_stays_and_falls_to_nothing(tiny_recipe):
    schedule = tiny_recipe.schedule.model_copy(update={"steps": 100, "warm_up_steps": 10, "flat": 0.5})
    rates = np.array([rate_at(step, schedule) for step in range(101)]) / schedule.learning_rate
    assert (np.diff(rates[:10]) > 0).all()
    assert (rates[10:50] == 1).all()
    assert (np.diff(rates[51:]) < 0).all()
    assert rates[100] == pytest.approx(0)


def test_a_gpu_that_is_not_there_is_told(tiny_recipe, data, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    recipe = tiny_recipe.model_copy(update={"schedule": tiny_recipe.schedule.model_copy(update={"device": "cuda"})})
    with pytest.raises(DependencyError, match="no GPU"):
        Training(recipe, data, None, tmp_path / "run")
