"""Training pictures: keypoints move with the pixels under them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.skeleton import COCO17
from trt_pose_app.training.augment import choose_count, compose
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import AugmentRecipe

# Everything that moves pixels, nothing that changes their colours.
GEOMETRY = AugmentRecipe(
    brightness=0, contrast=0, channel_gain=0, grey=0, blur=0, jpeg=0, cutout=0, scale_min=0.9, scale_max=1.3, close_up=0
)


def spotted(seed: int) -> tuple[Photo, np.ndarray]:
    """A black photo whose keypoints are discs of a colour of their own."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.linspace(30, 170, 5), np.linspace(30, 130, 4)), axis=-1).reshape(-1, 2)
    xy = rng.permutation(grid)[:17].astype(np.float32)
    image = np.zeros((160, 200, 3), np.uint8)
    rows, columns = np.mgrid[:160, :200]
    for part, (x, y) in enumerate(xy):
        image[(columns - x) ** 2 + (rows - y) ** 2 <= 5**2] = 60 + 10 * part
    box = np.concatenate((xy.min(axis=0), xy.max(axis=0)))[None]
    return Photo(
        Path("p"), 200, 160, xy[None], np.full((1, 17), 2, np.uint8), box, np.empty((0, 4), np.float32), 0
    ), image


@pytest.mark.parametrize("n_photos", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_keypoints_stay_on_their_pixels(n_photos, seed):
    rng = np.random.default_rng(seed)
    picture, people = compose([spotted(i) for i in range(n_photos)], 256, COCO17, GEOMETRY, rng)
    assert picture.shape == (256, 256, 3)
    assert len(people.xy) == n_photos
    seen = 0
    for xy, (x0, y0, x1, y1) in zip(people.xy, people.window):
        colours, mirrored_colours = [], []
        for part, (x, y) in enumerate(xy):
            if x0 + 1 <= x <= x1 - 2 and y0 + 1 <= y <= y1 - 2:
                colours.append(int(picture[round(float(y)), round(float(x)), 0]) - (60 + 10 * part))
                mirrored_colours.append(
                    int(picture[round(float(y)), round(float(x)), 0]) - (60 + 10 * COCO17.flip[part])
                )
        seen += len(colours)
        # A mirrored person's left keypoints lie on what was the right side of the photo.
        assert not any(colours) or not any(mirrored_colours)
    assert seen > 5 * n_photos


def test_the_same_chance_makes_the_same_picture():
    recipe = AugmentRecipe()
    first, second = (compose([spotted(0)], 96, COCO17, recipe, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1].xy, second[1].xy)


def test_a_photo_without_people_is_a_picture_too():
    photo, image = spotted(0)
    nobody = Photo(photo.path, 200, 160, photo.xy[:0], photo.visible[:0], photo.box[:0], photo.ignore, -1)
    _, people = compose([(nobody, image)], 96, COCO17, AugmentRecipe(), np.random.default_rng(0))
    assert len(people.xy) == 0


def test_mosaics_come_as_often_as_asked():
    rng = np.random.default_rng(0)
    counts = [choose_count(AugmentRecipe(mosaic_two=0.3, mosaic_four=0.2), rng) for _ in range(4000)]
    assert {n: round(counts.count(n) / 4000, 1) for n in (1, 2, 4)} == {1: 0.5, 2: 0.3, 4: 0.2}
