"""Segmentations as outlines: the same pixels as the masks they come from, wherever the picture is laid."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import COCO17
from trt_pose_app.training.augment import compose
from trt_pose_app.training.outlines import fill, outlines_of
from trt_pose_app.training.photo import Photo
from trt_pose_app.training.recipe import AugmentRecipe
from trt_pose_app.training.targets import draw_targets

SAME_PLACE = np.array([[1.0, 0, 0], [0, 1, 0]])
SIZE = (40, 30)


def ring() -> np.ndarray:
    """A block with a hole and a second block, (30, 40)."""
    mask = np.zeros((30, 40), np.uint8)
    mask[5:25, 5:25] = 1
    mask[10:20, 10:20] = 0
    mask[2:8, 30:38] = 1
    return mask


def run_lengths(mask: np.ndarray) -> list[int]:
    flat = np.concatenate(([0], mask.T.ravel(), [2]))
    edges = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate(([0], edges))).tolist()


def test_run_lengths_come_back_as_their_mask_holes_included():
    outlines = outlines_of({"size": [30, 40], "counts": run_lengths(ring())})
    np.testing.assert_array_equal(fill(outlines, SAME_PLACE, SIZE)[:, 1:-1], ring()[:, 1:-1].astype(bool))


@pytest.mark.parametrize("seed", range(3))
def test_compressed_run_lengths_are_the_same(seed):
    coco_mask = pytest.importorskip("pycocotools.mask")
    noise = (np.random.default_rng(seed).random((30, 40)) < 0.03 * seed).astype(np.uint8)
    mask = ring() ^ np.repeat(np.repeat(noise[::5, ::5], 5, axis=0), 5, axis=1)
    counts = coco_mask.encode(np.asfortranarray(mask))["counts"]
    plain = outlines_of({"size": [30, 40], "counts": run_lengths(mask)})
    for text in (counts, counts.decode()):
        compressed = outlines_of({"size": [30, 40], "counts": text})
        for ours, theirs in zip(compressed[0], plain[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_overlapping_polygons_are_their_union():
    square = [5, 5, 15, 5, 15, 15, 5, 15]
    inside = fill(outlines_of([square, [v + 5 for v in square]]), SAME_PLACE, SIZE)
    assert inside[12, 12]
    assert inside[6, 6]
    assert not inside[25, 6]


def test_an_outline_moves_with_the_picture_and_may_leave_it():
    outlines = outlines_of([[5, 5, 15, 5, 15, 15, 5, 15]])
    moved = fill(outlines, np.array([[2.0, 0, 10], [0, 2, -20]]), SIZE)
    assert moved[5, 25]
    assert not moved[:, :19].any()
    assert not fill(outlines, np.array([[1.0, 0, 1e6], [0, 1, 0]]), SIZE).any()


@pytest.mark.parametrize(
    "segmentation",
    [7, [[1, 2, 3]], {"size": [3]}, {"size": [3, 3], "counts": [1, 1]}, {"size": [3, 3], "counts": "0~"}],
)
def test_what_is_no_segmentation_is_told(segmentation):
    with pytest.raises(ConfigError, match="not a"):
        outlines_of(segmentation)


@pytest.mark.parametrize("native", [True, False])
def test_cells_inside_an_outline_count_for_nothing(tmp_path, native):
    from trt_pose_app.training.targets import draw_native

    if native and draw_native is None:
        pytest.skip("the extension is not built")
    nobody = np.empty((0, 17, 2), np.float32)
    boxes = np.empty((0, 4), np.float32)
    photo = Photo(
        tmp_path,
        64,
        64,
        nobody,
        np.empty((0, 17), np.uint8),
        boxes,
        boxes,
        -1,
        outlines_of([[0, 0, 31, 0, 31, 63, 0, 63]]),
    )
    still = AugmentRecipe(rotation=0, flip=0, shift=0, scale_min=1, scale_max=1, wander=0)
    _, people = compose([(photo, np.zeros((64, 64, 3), np.uint8))], 64, COCO17, still, np.random.default_rng(0))
    for mask, hidden in (("unknown", True), ("unlabelled", True), ("none", False)):
        targets = draw_targets(people, COCO17, (64, 64), 4, cmap_sigma=1, paf_sigma=1, mask=mask, native=native)
        for weight in (targets.cmap_weight, targets.paf_weight):
            assert (weight[:, :, :8] == 0).all() == hidden
            assert weight[:, :, 8:].all()
