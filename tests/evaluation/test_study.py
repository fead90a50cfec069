"""Whole evaluations: intervals, comparisons, sweeps and the report."""

from __future__ import annotations

import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.scenes import figure, note, random_scene, result, truth_of
from trt_pose_app.evaluation.bootstrap import draw_photos, drawn_share, interval
from trt_pose_app.evaluation.pck import PckProtocol
from trt_pose_app.evaluation.photo_quality import photo_quality
from trt_pose_app.evaluation.report import Pictures, report_html
from trt_pose_app.evaluation.results import people_by_photo
from trt_pose_app.evaluation.study import Run, study

pytest.importorskip("pycocotools")
SAMPLE = Path(__file__).parents[2] / "scripts/sample/people.jpg"
EVERYBODY = PckProtocol()


def test_draws_are_with_replacement_and_the_same_each_time() -> None:
    draws = draw_photos(30, 500)
    assert draws.sum(axis=1).tolist() == [30] * 500
    assert draws.max() > 3
    np.testing.assert_array_equal(draws, draw_photos(30, 500))


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    hits = (np.arange(400) % 4 == 0).astype(np.intp)
    low, high = interval(drawn_share(hits, np.ones(400, np.intp), draw_photos(400, 4000))) or (0, 0)
    assert (low, high) == pytest.approx((0.25 - 1.96 * 0.02165, 0.25 + 1.96 * 0.02165), abs=0.004)


def test_without_draws_or_values_there_is_no_interval() -> None:
    assert interval(np.array([])) is None
    assert interval(drawn_share(np.zeros(3, np.intp), np.zeros(3, np.intp), draw_photos(3, 10))) is None


def test_a_model_compared_with_itself_differs_by_exactly_nothing(tmp_path: Path) -> None:
    image_ids, notes, results = random_scene(1)
    truth = truth_of(tmp_path, image_ids, notes)
    document, _ = study(truth, [Run("a", results), Run("b", results)], protocol=EVERYBODY, n_draws=100)
    (comparison,) = document["comparisons"]
    assert comparison["AP"] == {"difference": 0, "interval": (0, 0)}
    assert comparison["pck"]["all"] == {"difference": 0, "interval": (0, 0)}


def test_a_worse_model_is_told_from_a_better_one(tmp_path: Path) -> None:
    image_ids, notes, results = random_scene(1, n_photos=60)
    worse = [r for i, r in enumerate(results) if i % 2]
    truth = truth_of(tmp_path, image_ids, notes)
    document, _ = study(truth, [Run("all", results), Run("fewer", worse)], protocol=EVERYBODY, n_draws=300)
    low, high = document["comparisons"][0]["AP"]["interval"]
    assert low < document["comparisons"][0]["AP"]["difference"] < high < 0
    # Paired: narrower than if the two models had been measured on photos of their own.
    assert high - low < math.hypot(*(b - a for a, b in (model["ap_interval"] for model in document["models"])))


def test_false_people_are_those_on_photos_of_nobody(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [1, 2, 3], [note(1, figure()), note(3, figure(), iscrowd=1)])
    results = [result(i, figure()) for i in (1, 2, 2, 3)]
    document, _ = study(truth, [Run("a", results)], protocol=EVERYBODY, n_draws=0)
    assert document["models"][0]["false_people"] == 2
    assert document["data"]["empty_photos"] == 1


def test_the_sweep_goes_down_from_the_weakest_result(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [1, 2], [note(1, figure())])
    weaker = [result(1, figure(), 0.9), result(2, figure(), 0.33)]
    run = Run("a", weaker[:1], weaker, at_peaks={0.2: weaker, 0.1: []})
    document, _ = study(truth, [run], protocol=EVERYBODY, n_draws=0)
    model = document["models"][0]
    rows = {row["min_person_score"]: row["false_people"] for row in model["sweep"]}
    assert min(rows) == 0.3
    assert (rows[0.3], rows[0.35], rows[0.95]) == (1, 0, 0)
    assert {row["min_person_score"]: row["AP"] for row in model["sweep"]}[0.9] == pytest.approx(1)
    assert [(row["peak_threshold"], row["people"]) for row in model["peak_sweep"]] == [(0.1, 0), (0.2, 2)]


@pytest.mark.parametrize(
    ("results", "quality"),
    [
        ([], 0),
        ([result(1, figure())], 1),
        ([result(1, figure()), result(1, figure(500))], 0.5),  # somebody invented
        ([result(1, figure(500))], 0),
    ],
)
def test_quality_of_a_photo(tmp_path: Path, results: list, quality: float) -> None:  # type: ignore[type-arg]
    truth = truth_of(tmp_path, [1], [note(1, figure())])
    assert photo_quality(truth, people_by_photo(results, truth)) == pytest.approx([quality])


class _Page(HTMLParser):
    """Collects what a browser would fetch, and checks that tags close."""

    VOID = ("meta", "img", "br", "path", "rect", "circle", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag in ("script", "link", "iframe"):
            self.fetched.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_file_that_fetches_nothing(tmp_path: Path) -> None:
    image_ids, notes, results = random_scene(4, n_photos=6)
    truth = truth_of(tmp_path, image_ids, notes)
    runs = [Run("<model> & co", results, at_peaks={0.1: results}), Run("other", results[::2])]
    document, evaluations = study(truth, runs, protocol=EVERYBODY, n_draws=50)
    for photo in truth.photos:
        shutil.copy(SAMPLE, tmp_path / photo.file_name)
    paths = {photo.id: tmp_path / photo.file_name for photo in truth.photos}
    html = report_html(truth, document, evaluations, Pictures(paths, 3))
    page = _Page()
    page.feed(html)
    assert not page.open
    assert len(page.fetched) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.fetched)
    assert not re.search(r"https?://|@import|url\(", html)
    assert "&lt;model&gt; &amp; co" in html
    assert "<model>" not in html
    assert "nan" not in re.sub(r"base64,[^\"]*", "", html).lower()
    json.dumps(document, allow_nan=False)


def test_a_report_of_nothing_found_is_a_report(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [1], [note(1, figure())])
    document, evaluations = study(truth, [Run("none", [])], protocol=EVERYBODY, n_draws=0)
    assert "0 of 1 people found" in report_html(truth, document, evaluations, None)
    json.dumps(document, allow_nan=False)
