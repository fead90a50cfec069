"""Recipes: typed, strict, and every shipped one valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.training.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "trt_pose_app/training/recipes"
SMALLEST = 'name = "x"\n[data]\nimages = "a"\nannotations = "b"\n'


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid_and_named_as_its_file(path):
    assert read_recipe(path).name == path.stem


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("schedule.steps=7", lambda r: r.schedule.steps, 7),
        ("data.skeleton=coco17", lambda r: r.data.skeleton, "coco17"),
        ("schedule.sizes=[[0.0, 96]]", lambda r: r.schedule.sizes, ((0.0, 96),)),
        ("name=y", lambda r: r.name, "y"),
    ],
)
def test_a_setting_lies_over_the_file(tmp_path, setting, field, value):
    (tmp_path / "r.toml").write_text(SMALLEST)
    assert field(read_recipe(tmp_path / "r.toml", [setting])) == value


@pytest.mark.parametrize(
    ("text", "settings", "sign"),
    [
        (None, [], "cannot read"),
        ("name = ", [], "not TOML"),
        ("name = 'x'", [], "data: is missing"),
        (SMALLEST, ["schedule.step=7"], "schedule.step: unknown field"),
        (SMALLEST, ["schedule.steps=0"], "schedule.steps: must be greater than or equal to 1"),
        (SMALLEST, ["steps"], "no setting"),
        (SMALLEST, ["name.steps=1"], "name is no table"),
    ],
)
def test_a_mistake_is_told(tmp_path, text, settings, sign):
    if text is not None:
        (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ConfigError, match=sign):
        read_recipe(tmp_path / "r.toml", settings)


def test_picture_sizes_change_with_the_share_of_steps_done(tmp_path):
    (tmp_path / "r.toml").write_text(SMALLEST)
    recipe = read_recipe(tmp_path / "r.toml", ["schedule.steps=10", "schedule.sizes=[[0.0, 64], [0.5, 96]]"])
    assert [recipe.size_at(step) for step in (0, 4, 5, 9)] == [64, 64, 96, 96]
