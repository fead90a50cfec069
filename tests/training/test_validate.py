"""The early look at a network: perfect maps score 1, empty ones 0, and AP agrees with pycocotools."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from trt_pose_app.evaluation.average_precision import average_precision  # noqa: E402
from trt_pose_app.skeleton import COCO17, COCO18  # noqa: E402
from trt_pose_app.training.coco import read_coco  # noqa: E402
from trt_pose_app.training.oks_matches import oks_matches  # noqa: E402
from trt_pose_app.training.photo import Photo  # noqa: E402
from trt_pose_app.training.targets import People, draw_targets  # noqa: E402
from trt_pose_app.training.validate import letterboxed, measure  # noqa: E402
from trt_pose_app.types import Poses, boxes_around  # noqa: E402

SIZE, STRIDE = 256, 4


class Told(torch.nn.Module):
    """Answers with the maps that the photos' labels ask for, in the photos' order."""

    def __init__(self, photos, *, empty: bool = False) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))
        self._maps = iter([self._drawn(photo, empty) for photo in photos])

    def _drawn(self, photo, empty):
        _, geometry = letterboxed(photo, SIZE)
        count = 0 if empty else len(photo.xy)
        people = People(
            geometry.to_input(photo.xy).astype(np.float32)[:count],
            photo.visible[:count],
            photo.box[:count],
            np.tile(np.array([0, 0, SIZE, SIZE], np.float32), (count, 1)),
            photo.ignore,
        )
        targets = draw_targets(people, COCO18, (SIZE, SIZE), STRIDE, cmap_sigma=1.2, paf_sigma=1.2)
        return torch.from_numpy(targets.cmap)[None], torch.from_numpy(targets.paf)[None]

    def forward(self, _):
        return next(self._maps)


@pytest.mark.parametrize(("empty", "least", "most"), [(False, 0.99, 1.0), (True, 0.0, 0.05)])
def test_maps_drawn_from_the_labels_are_perfect_and_empty_ones_worthless(stick_people, empty, least, most):
    photos = read_coco(
        stick_people / "people.json", stick_people / "photos", category="person", skeleton="coco18"
    ).photos
    quality = measure(Told(photos, empty=empty).eval(), photos, COCO18, SIZE, STRIDE)
    assert least <= quality.pck <= most
    assert least <= quality.ap50 <= most
    assert quality.ap <= quality.ap50


def test_without_photos_nothing_is_measured():
    quality = measure(Told([]).eval(), [], COCO18, SIZE, STRIDE)
    assert quality.pck == 0
    assert np.isnan(quality.ap)


def made_up(seed: int, n_photos: int = 12):
    """Photos with people, and poses found on them: shifted by more or less, some missing, some invented."""
    rng = np.random.default_rng(seed)
    photos, found = [], []
    for number in range(n_photos):
        n_people = int(rng.integers(0, 4))
        centre = rng.uniform(100, 500, (n_people, 1, 2))
        xy = (centre + rng.normal(0, 50, (n_people, 17, 2))).astype(np.float32)
        visible = rng.integers(0, 3, (n_people, 17)).astype(np.uint8)
        visible[:, :3] = 2
        none = np.empty((0, 4), np.float32)
        photos.append(Photo(f"{number}", 640, 640, xy, visible, boxes_around(xy), none, -1))
        guesses = np.concatenate((xy[rng.random(n_people) < 0.8], rng.uniform(0, 640, (1, 17, 2)).astype(np.float32)))
        guesses = (guesses + rng.normal(0, rng.uniform(0, 12, (len(guesses), 1, 1)), guesses.shape)).astype(np.float32)
        score = -np.sort(-rng.random(len(guesses))).astype(np.float32)
        tracks = np.full(len(guesses), -1, np.int32)
        found.append(
            Poses(guesses, np.full((len(guesses), 17), 0.5, np.float32), score, boxes_around(guesses), tracks, COCO17)
        )
    return photos, found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("seed", range(4))
def test_ap_is_pycocotools(seed, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    photos, found = made_up(seed)
    notes = []
    for index, photo in enumerate(photos):
        for xy, visible, (x0, y0, x1, y1) in zip(photo.xy, photo.visible, photo.box.astype(float)):
            notes.append(
                {
                    "id": len(notes) + 1, "image_id": index, "category_id": 1, "iscrowd": 0,
                    "num_keypoints": int((visible > 0).sum()), "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": 0.5 * (x1 - x0) * (y1 - y0),
                    "keypoints": np.concatenate((xy.astype(float), visible[:, None]), axis=1).ravel().tolist(),
                }
            )  # fmt: skip
    truth = coco.COCO()
    truth.dataset = {"images": [{"id": i} for i in range(len(photos))], "annotations": notes, "categories": [{"id": 1}]}
    truth.createIndex()
    results = [
        {
            "image_id": i,
            "category_id": 1,
            "score": float(score),
            "keypoints": np.insert(xy, 2, 1, axis=1).ravel().tolist(),
        }
        for i, poses in enumerate(found)
        for xy, score in zip(poses.xy.astype(float), poses.person)
    ]
    evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    ap = average_precision(oks_matches(photos, found, COCO17))
    assert ap.mean() == pytest.approx(evaluation.stats[0], abs=1e-6)
    assert ap[0] == pytest.approx(evaluation.stats[1], abs=1e-6)


def test_people_found_in_an_ignored_box_are_neither_right_nor_wrong():
    photos, found = made_up(1, n_photos=1)
    everywhere = np.array([[0, 0, 640, 640]], np.float32)
    crowd = Photo("p", 640, 640, photos[0].xy[:0], photos[0].visible[:0], photos[0].box[:0], everywhere, -1)
    matches = oks_matches([crowd], found, COCO17)
    assert matches.ignored.all()
    assert not matches.hit.any()
