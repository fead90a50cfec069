"""A teacher of another skeleton answers in ours: checked against hand-marked photos and by mirrored limbs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxruntime")

from trt_pose_app.models.store import find, packaged_directory  # noqa: E402
from trt_pose_app.skeleton import COCO18, HAND21  # noqa: E402
from trt_pose_app.training.coco import TrainingData, read_coco, read_training_data  # noqa: E402
from trt_pose_app.training.loop import Training  # noqa: E402
from trt_pose_app.training.recipe import Recipe  # noqa: E402
from trt_pose_app.training.targets import People, draw_targets  # noqa: E402
from trt_pose_app.training.teacher import Teacher  # noqa: E402
from trt_pose_app.training.validate import letterboxed  # noqa: E402

pytestmark = pytest.mark.shared
SIDE = 256


def openpose_lightweight(shared: Path):
    return find(str(shared / "weights/openpose-lightweight.onnx"), search=[packaged_directory()])


def test_its_maps_resemble_the_labels_drawn_in_our_skeleton(shared):
    teacher = Teacher(openpose_lightweight(shared), COCO18, threads=1)
    folder = shared / "images/lspet"
    photos = read_coco(folder / "val.json", folder / "val", category="person", skeleton="coco18").photos
    photos = [photo for photo in photos if photo.visible.all() and len(photo.xy)][:12]
    similar = []
    for photo in photos:
        image, geometry = letterboxed(photo, SIDE)
        n_people = len(photo.xy)
        people = People(
            geometry.to_input(photo.xy).astype(np.float32),
            photo.visible,
            photo.box,
            np.tile(np.array([0, 0, SIDE, SIDE], np.float32), (n_people, 1)),
            photo.ignore,
        )
        labels = draw_targets(people, COCO18, (SIDE, SIDE), 8, cmap_sigma=0.9, paf_sigma=0.8)
        cmap, paf, known, limbs = teacher(torch.from_numpy(image.transpose(2, 0, 1).copy())[None], (32, 32))
        assert known.all()
        for ours, theirs, weight in ((labels.cmap, cmap, known), (labels.paf, paf, limbs)):
            theirs = (theirs * weight)[0].numpy()
            taught = weight.expand(1, len(ours), 1, 1)[0, :, 0, 0].numpy() > 0
            product = (ours[taught] * theirs[taught]).sum(axis=(1, 2))
            similar.append(product / np.linalg.norm(ours[taught]) / np.linalg.norm(theirs[taught]))
    for kind in (0, 1):
        # Not only on the whole: each part and limb for itself points the labels' way.
        assert (np.mean(similar[kind::2], axis=0) > 0).all()
        assert np.mean(np.sum(similar[kind::2], axis=1)) > 0.4


def test_what_it_does_not_know_counts_for_nothing(shared):
    teacher = Teacher(openpose_lightweight(shared), HAND21, threads=1)
    cmap, paf, known, limbs = teacher(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), (16, 16))
    assert (cmap.shape, paf.shape) == ((2, 21, 16, 16), (2, 40, 16, 16))
    assert not known.any()
    assert not limbs.any()


def test_a_run_with_a_teacher_learns_otherwise_than_without(tiny_recipe: Recipe, shared, tmp_path):
    data: TrainingData = read_training_data(tiny_recipe.data)
    taught = Recipe.model_validate(
        tiny_recipe.model_dump() | {"distillation": {"teacher": str(shared / "weights/openpose-lightweight.onnx")}}
    )
    losses = [
        [loss for _, loss in Training(recipe, data, None, tmp_path / name).steps()]
        for name, recipe in (("alone", tiny_recipe), ("taught", taught))
    ]
    assert losses[0][0] < losses[1][0]
