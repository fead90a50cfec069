"""``trt-pose eval``: a model, or results of one, against annotated photos."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SAMPLE
from trt_pose_app.skeleton import COCO17

pytest.importorskip("pycocotools")


@pytest.fixture
def data(trt_pose, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """Three photos; on the first two the scripted network's people are the truth, on the third is nobody."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (7, 42, 139):
        shutil.copy(SAMPLE / "people.jpg", folder / f"{number:012d}.jpg")
    done = trt_pose("predict", folder, "-o", "predicted.json", "--model", "scripted")
    assert done.returncode == 0, done.stderr
    notes = []
    for found in json.loads((tmp_path / "predicted.json").read_text()):
        x, y = found["keypoints"][0::3], found["keypoints"][1::3]
        box = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
        person = {"keypoints": [2 if i % 3 == 2 else v for i, v in enumerate(found["keypoints"])], "bbox": box}
        if found["image_id"] != 139:
            notes.append({**person, "id": len(notes), "image_id": found["image_id"], "category_id": 1, "iscrowd": 0})
    content = {
        "images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in (7, 42, 139)],
        "annotations": notes,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.parts)}],
    }
    path = tmp_path / "photos.json"
    path.write_text(json.dumps(content))
    return path


def test_a_model_against_its_own_people(trt_pose, data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("eval", data, "--model", "scripted", "-o", "out", "--json", "--peak-thresholds", "0.1,0.9")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    model = document["models"][0]
    assert model["name"].startswith("scripted@")
    # Of both figures one stands on the empty photo too: after two found comes one false, after four two.
    assert model["coco"]["AP"] == pytest.approx((51 + 50 * 0.8) / 101)
    assert model["pck"]["all"]["pck"] == 1
    assert model["false_people"] == 2
    assert model["errors"]["joints"]["all"]["good"] == 1
    assert model["latency_ms"]["frame_best"] > 0
    assert [row["peak_threshold"] for row in model["peak_sweep"]] == [0.1, 0.9]
    assert json.loads((tmp_path / "out/metrics.json").read_text()) == document
    assert (tmp_path / "out/report.html").stat().st_size > 10_000
    assert not list((tmp_path / "out").glob("*.part"))
    # What is measured is what `predict` writes, to the last digit.
    fields = ("image_id", "keypoints", "score")
    written, predicted = (json.loads((tmp_path / name).read_text()) for name in ("out/results.json", "predicted.json"))
    assert [[r[f] for f in fields] for r in written] == [[r[f] for f in fields] for r in predicted]


def test_results_need_no_model_and_no_photos(trt_pose, data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.rmtree(tmp_path / "photos")
    done = trt_pose("eval", data, "--results", "predicted.json", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "false people" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.json", "report.html"]


def test_a_model_is_compared_with_earlier_results(trt_pose, data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    results = json.loads((tmp_path / "predicted.json").read_text())
    (tmp_path / "half.json").write_text(json.dumps(results[::2]))
    done = trt_pose("eval", data, "--model", "scripted", "--compare", "half.json", "--json")
    assert done.returncode == 0, done.stderr
    (comparison,) = json.loads(done.stdout)["comparisons"]
    assert comparison["second"] == "half"
    assert comparison["AP"]["difference"] < -0.3
    assert comparison["AP"]["interval"][1] <= 0


def test_two_models_get_a_results_file_each(trt_pose, data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("eval", tmp_path / "photos", "--annotations", data, "--model", "scripted", "--model", "scripted",
                    "-o", "out", "--draws", "50")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("results-scripted@*-[12].json"))) == 2
    assert "3 photos, 4 people, 1 photo without anyone" in done.stdout
    assert "AP +0.000 (0.000, 0.000)" in done.stdout


def test_the_threshold_is_the_one_asked_for_and_the_sweep_starts_below(trt_pose, data: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("eval", data, "--model", "scripted", "--min-person-score", "1", "--json")
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)["models"][0]
    assert model["coco"]["AP"] == 0
    assert max(row["AP"] for row in model["sweep"]) > 0.9


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["nothing.json"], 2, "cannot read"),
        (["photos"], 2, "add --annotations"),
        (["photos.json", "--images", "elsewhere"], 2, "3 of 3 photos are missing"),
        (["photos.json", "--category", "dog"], 2, "no keypoints of a category 'dog'"),
        (["photos.json", "--results", "photos.json"], 2, "results file: it holds an object, not a list"),
        (["predicted.json"], 2, "annotation file: it holds a list, not an object"),
        (["model.toml"], 2, "annotation file: it is not JSON (line 1: "),
        (["metrics.json"], 2, 'annotation file: it, or an entry in it, has no "images"'),
        (["photos.json", "--model", "none-such"], 4, "no model 'none-such'"),
        (["photos.json", "--model", "scripted", "--peak-thresholds", "a"], 2, "not numbers from 0 to 1"),
        (["photos.json", "--model", "scripted", "--true-boxes"], 2, "takes no boxes"),
        (["photos.json", "--model", "a", "--model", "b", "--spec", "x.toml"], 2, "--spec describes one model"),
    ],
)
def test_mistakes_are_told_with_a_hint(trt_pose, data: Path, arguments: list[str], code: int, complaint: str) -> None:  # type: ignore[no-untyped-def]
    (data.parent / "model.toml").write_text('name = "a"\n')
    (data.parent / "metrics.json").write_text('{"schema": "trt-pose/evaluation/1"}')
    done = trt_pose("eval", *arguments)
    assert done.returncode == code, done.stderr
    assert complaint in done.stderr + done.stdout
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_says_that_nothing_was_written(start, data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    os.mkfifo(tmp_path / "slow.json")
    process = start("eval", data, "--results", "slow.json", "-o", "out")
    with (tmp_path / "slow.json").open("w"):  # opens when the evaluation does, which then waits for its content
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert "interrupted, nothing written" in process.communicate()[1]
    assert not (tmp_path / "out").exists()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "arguments", "expected"),
    [
        ("coco_train/person_keypoints.json", ["--input-size", "256"], {"AP": 0.3402, "false": 6}),
        ("lspet/val.json", ["--limit", "25", "--input-size", "128"], {}),
    ],
)
def test_figures_of_real_photos(
    trt_pose, environment: dict[str, str], shared: Path, folder: str, arguments: list[str], expected: dict[str, Any]
) -> None:  # type: ignore[no-untyped-def]
    environment["TRT_POSE_MODELS"] += f"{os.pathsep}{shared / 'weights'}"
    done = trt_pose("eval", shared / "images" / folder, "--model", "openpose-lightweight", *arguments, "--threads", "2",
                    "--json", timeout_s=110)  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    model = document["models"][0]
    if expected:
        assert model["coco"]["AP"] == pytest.approx(expected["AP"], abs=0.005)
        assert model["false_people"] == pytest.approx(expected["false"], abs=2)
    else:
        assert document["pck"] == {"fraction": 0.2, "main_only": True, "least_visibility": 2}
        assert 0.3 < model["pck"]["all"]["pck"] < 0.8
