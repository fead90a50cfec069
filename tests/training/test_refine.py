"""Training a refiner: its samples, its loss, and a run from recipe to ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.models.onnx_metadata import read_metadata
from trt_pose_app.models.spec import METADATA_KEY, ModelSpec
from trt_pose_app.skeleton import COCO17
from trt_pose_app.training.coco import TrainingData, read_training_data
from trt_pose_app.training.recipe import Recipe, RefineRecipe, read_recipe

torch = pytest.importorskip("torch", reason="training needs torch")

from trt_pose_app.training.checkpoint import read_checkpoint  # noqa: E402
from trt_pose_app.training.export import export_onnx  # noqa: E402
from trt_pose_app.training.loop import CHECKPOINT, Training  # noqa: E402
from trt_pose_app.training.refine_loss import refine_loss  # noqa: E402
from trt_pose_app.training.refine_samples import RefineSamples  # noqa: E402

RECIPES = Path(__file__).parents[2] / "trt_pose_app/training/recipes"
SIZE = 64
PLAIN = {"rotation": 0, "flip": 0, "brightness": 0, "contrast": 0, "channel_gain": 0, "grey": 0, "blur": 0, "jpeg": 0,
         "cutout": 0}  # fmt: skip


def recipe_with(tiny_recipe: Recipe, **tables: dict[str, Any]) -> Recipe:
    content = tiny_recipe.model_dump()
    content["data"]["skeleton"] = "coco17"
    content["network"] |= {"kind": "posefix-nano"}
    content["refine"] = {}
    for table, fields in tables.items():
        content[table] |= fields
    return Recipe.model_validate(content)


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    return recipe_with(tiny_recipe)


@pytest.fixture
def data(recipe: Recipe) -> TrainingData:
    return read_training_data(recipe.data)


def samples_of(recipe: Recipe, data: TrainingData) -> RefineSamples:
    assert recipe.refine is not None
    return RefineSamples(data, recipe, recipe.refine)


def test_a_number_is_always_the_same_sample(recipe: Recipe, data: TrainingData) -> None:
    first, again, other = (samples_of(recipe, data)[number, SIZE] for number in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not torch.equal(first[1], other[1])


def test_a_sample_shows_a_wrong_pose_and_the_true_one_in_the_same_crop(recipe: Recipe, data: TrainingData) -> None:
    samples = samples_of(recipe, data)
    for number in range(30):
        pixels, found, valid, truth, weight = samples[number, SIZE]
        assert pixels.shape == (3, SIZE, SIZE)
        assert pixels.dtype == torch.uint8
        assert found.shape == truth.shape == (17, 2)
        assert valid.any()
        inside = ((truth >= -0.5) & (truth < SIZE - 0.5)).all(dim=1)
        assert torch.equal(weight > 0, inside)
        assert (found[valid > 0] > -0.3 * SIZE).all()  # the crop is laid around the wrong pose
        assert (found[valid > 0] < 1.3 * SIZE).all()


def test_pixels_lie_under_the_true_pose(tiny_recipe: Recipe, data: TrainingData) -> None:
    """The drawn people's limbs are red: most true limb middles are, turned or mirrored as they may be."""
    recipe = recipe_with(tiny_recipe, augment={**PLAIN, "rotation": 1, "flip": 0.5})
    samples = samples_of(recipe, data)
    red = []
    for number in range(20):
        pixels, _, _, truth, weight = (tensor.numpy() for tensor in samples[number, SIZE])
        for a, b in COCO17.limbs:
            if weight[a] and weight[b]:
                x, y = np.rint((truth[a] + truth[b]) / 2).astype(int)
                blue, _, level = pixels[:, y, x].astype(int)
                red.append(level > blue + 60)
    assert np.mean(red) > 0.6


def test_covered_legs_are_of_one_colour(tiny_recipe: Recipe, data: TrainingData) -> None:
    recipe = recipe_with(tiny_recipe, augment=PLAIN, refine={"half_body": 1.0, "dropout": 0.0})
    pixels, _, _, truth, weight = (tensor.numpy() for tensor in samples_of(recipe, data)[0, SIZE])
    ankles = [part for part in (13, 14, 15, 16) if weight[part]]
    assert ankles
    colours = {tuple(pixels[:, y, x]) for x, y in np.rint(truth[ankles]).astype(int)}
    assert len(colours) == 1


def test_the_loss_is_least_where_the_truth_is() -> None:
    truth = torch.tensor([[[3.25, 5.5]]])
    right = torch.full((1, 1, 8, 8), -20.0)
    for x, y, share in ((3, 5, 0.375), (4, 5, 0.125), (3, 6, 0.375), (4, 6, 0.125)):
        right[0, 0, y, x] = float(np.log(share))
    weight = torch.ones(1, 1)
    entropy, distance = refine_loss(right, truth, truth, weight)
    assert entropy == pytest.approx(2 * 0.375 * -np.log(0.375) + 2 * 0.125 * -np.log(0.125), abs=1e-4)
    assert distance == 0
    worse, farther = refine_loss(right.roll(2, dims=3), truth + torch.tensor([2.0, 0.0]), truth, weight)
    assert worse > entropy
    assert farther == 1
    assert [float(loss) for loss in refine_loss(right, truth + 1, truth, 0 * weight)] == [0, 0]


@pytest.mark.parametrize("place", [(-3.0, 2.0), (7.9, 7.9), (100.0, -100.0)])
def test_a_truth_at_the_border_or_outside_is_finite(place: tuple[float, float]) -> None:
    truth = torch.tensor([[place]])
    losses = refine_loss(torch.zeros(1, 1, 8, 8), truth, truth, torch.ones(1, 1))
    assert all(torch.isfinite(loss) for loss in losses)
    assert losses[0] == pytest.approx(np.log(64), abs=1e-5)


def test_a_run_resumes_exactly_and_exports_what_the_run_time_needs(
    recipe: Recipe, data: TrainingData, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    for _ in Training(recipe, data, data.main, tmp_path / "whole").steps():
        pass
    for step, _ in Training(recipe, data, data.main, tmp_path / "parts").steps():
        if step == 3:
            break
    for _ in Training(recipe, data, data.main, tmp_path / "parts").steps():
        pass
    whole, parts = (read_checkpoint(tmp_path / run / CHECKPOINT) for run in ("whole", "parts"))
    assert all(torch.equal(tensor, parts["ema"][name]) for name, tensor in whole["ema"].items())
    log = (tmp_path / "whole/log.csv").read_text()
    assert "pck_before" in log
    assert (tmp_path / "whole/step-000004.jpg").stat().st_size > 1000

    export_onnx(tmp_path / "whole", tmp_path / "refiner.onnx")
    spec = ModelSpec.from_json(read_metadata(tmp_path / "refiner.onnx")[METADATA_KEY], "refiner.onnx")
    assert (spec.kind, spec.skeleton, spec.input.dtype, spec.input.layout) == ("refiner", "coco17", "uint8", "nhwc")
    assert spec.refiner is not None
    session = onnxruntime.InferenceSession(tmp_path / "refiner.onnx")
    coordinates, score = session.run(
        [spec.outputs["coordinates"], spec.outputs["score"]],
        {
            spec.input.name: np.zeros((3, SIZE, SIZE, 3), np.uint8),
            spec.refiner.coordinates: np.full((3, 17, 2), np.nan, np.float32),
            spec.refiner.validity: np.zeros((3, 17), np.float32),
        },
    )
    assert coordinates.shape == (3, 17, 2)
    assert np.isfinite(coordinates).all()
    assert ((score >= 0) & (score <= 1)).all()


def test_photos_without_a_labelled_person_are_refused(recipe: Recipe, data: TrainingData) -> None:
    for photo in data.main.photos:
        photo.visible[:] = 0
    with pytest.raises(ConfigError, match="no photo has a labelled person"):
        samples_of(recipe, data)


@pytest.mark.parametrize("tables", [{"kind": "pose-nano"}, {"refine": None}])
def test_the_refine_table_and_the_network_belong_together(recipe: Recipe, tables: dict[str, Any]) -> None:
    content = recipe.model_dump()
    content["network"] |= {key: value for key, value in tables.items() if key == "kind"}
    content |= {key: value for key, value in tables.items() if key == "refine"}
    with pytest.raises(ValueError, match="belong together"):
        Recipe.model_validate(content)


def test_the_shipped_recipe_is_valid() -> None:
    recipe = read_recipe(RECIPES / "posefix-nano.toml")
    assert isinstance(recipe.refine, RefineRecipe)
    assert recipe.data.skeleton == "coco17"
