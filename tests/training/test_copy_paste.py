"""Pasted people: cut out along their keypoints, learnt like all others, and hiding what is behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from trt_pose_app.skeleton import COCO18, HAND21, Skeleton
from trt_pose_app.training.augment import compose
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import AugmentRecipe
from trt_pose_app.training.silhouette import can_be_cut_out, silhouette

PLAIN = AugmentRecipe(
    brightness=0, contrast=0, channel_gain=0, grey=0, blur=0, jpeg=0, cutout=0, rotation=0, flip=0, shift=0,
    scale_min=1, scale_max=1, close_up=0,
)  # fmt: skip
# A person who stands with hanging arms, 100 px tall: the parts' places in COCO18's order.
STANDING = np.array(
    [(50, 12), (52, 10), (48, 10), (55, 11), (45, 11), (60, 25), (40, 25), (65, 40), (35, 40), (66, 55), (34, 55),
     (57, 55), (43, 55), (57, 75), (43, 75), (57, 95), (43, 95), (50, 25)], np.float32,
)  # fmt: skip


def standing(*unknown: str, colour: int = 200) -> tuple[Photo, np.ndarray]:
    visible = np.full((1, 18), 2, np.uint8)
    visible[0, [COCO18.parts.index(part) for part in unknown]] = 0
    box = np.array([[30, 5, 70, 100]], np.float32)
    photo = Photo(Path("p"), 100, 110, STANDING[None], visible, box, np.empty((0, 4), np.float32), 0)
    return photo, np.full((110, 100, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("unknown", "possible"),
    [
        ((), True),
        (("left_eye", "right_ear"), True),
        (("nose", "left_eye", "right_eye", "left_ear", "right_ear"), False),
        (("left_wrist",), False),
    ],
)
def test_who_can_be_cut_out(unknown, possible):
    assert can_be_cut_out(standing(*unknown)[0].visible[0], COCO18) == possible


def test_a_silhouette_holds_the_keypoints_the_torso_and_nothing_far_away():
    mask = silhouette(STANDING, np.full(18, 2, np.uint8), COCO18, (100, 110))
    assert mask.min() >= 0
    assert mask.max() <= 1 + 1e-6
    columns, rows = STANDING.astype(int).T
    assert (mask[rows, columns] > 0.4).all()
    assert mask[40, 50] > 0.99
    assert not mask[:, :15].any()
    assert 0.1 < mask.mean() < 0.35


def test_things_without_a_torso_are_their_limbs():
    xy = np.random.default_rng(0).uniform(20, 80, (21, 2)).astype(np.float32)
    mask = silhouette(xy, np.full(21, 2, np.uint8), HAND21, (100, 100))
    a, b = HAND21.limbs[0]
    middle = ((xy[a] + xy[b]) / 2).round().astype(int)
    assert mask[middle[1], middle[0]] > 0.5
    assert not mask[:5].any()


@pytest.mark.parametrize("seed", range(6))
def test_the_pasted_person_is_learnt_and_hides_whom_it_covers(seed):
    rng = np.random.default_rng(seed)
    picture, people = compose([standing(colour=10)], 128, COCO18, PLAIN, rng, standing("left_eye", colour=200))
    assert len(people.xy) == len(people.visible) == len(people.box) == len(people.window) == 2
    pasted = picture[..., 0] > 150
    for (x, y), v in zip(people.xy[1], people.visible[1]):
        if v and 2 <= x < 126 and 2 <= y < 126:
            assert picture[round(float(y)), round(float(x)), 0] > 80
    below, known = people.xy[0], people.visible[0]
    inside = ((below >= 0) & (below < 127)).all(axis=1)
    behind = np.zeros(18, bool)
    behind[inside] = pasted[below[inside, 1].round().astype(int), below[inside, 0].round().astype(int)]
    assert (known[behind] < 2).all()


def test_who_is_mostly_covered_is_unknown():
    from trt_pose_app.training.copy_paste import _covered

    xy = STANDING[None]
    visible = np.full((1, 18), 2, np.uint8)
    upper, whole = np.zeros((2, 110, 110), bool)
    upper[:20] = True
    whole[:] = True
    assert set(_covered(xy, visible, upper)[0, :5]) == {1}
    assert set(_covered(xy, visible, upper)[0, 5:]) == {2}
    assert not _covered(xy, visible, whole).any()


def test_without_a_complete_person_nothing_is_pasted():
    picture, people = compose(
        [standing(colour=10)], 128, COCO18, PLAIN, np.random.default_rng(0), standing("left_hip", colour=200)
    )
    assert len(people.xy) == 1
    assert picture.max() <= 128


def test_a_mirrored_person_keeps_its_sides():
    lopsided = Skeleton("two", ("left_hand", "right_hand"), ((0, 1),), (1, 0))
    xy = np.array([[[30, 50], [70, 50]]], np.float32)
    empty = np.empty((0, 4), np.float32)
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50, 0] = 250
    donor = Photo(
        Path("p"), 100, 100, xy, np.full((1, 2), 2, np.uint8), np.array([[25, 45, 75, 55]], np.float32), empty, 0
    )
    nobody = Photo(Path("p"), 100, 100, xy[:0], donor.visible[:0], empty, empty, -1)
    mirroring = PLAIN.model_copy(update={"flip": 1.0})
    picture, people = compose(
        [(nobody, np.zeros((100, 100, 3), np.uint8))],
        100,
        lopsided,
        mirroring,
        np.random.default_rng(1),
        (donor, image),
    )
    left, right = people.xy[0]
    assert left[0] < right[0]  # as before: mirrored and renamed
    bright, dark = (int(picture[round(float(y)), round(float(x)), 0]) for x, y in (right, left))
    assert bright > dark
