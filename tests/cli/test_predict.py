"""``trt-pose predict``: pictures in, one results file out."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import SAMPLE
from tests.sinks.mqtt_rig import until


def test_coco_results_take_their_ids_from_numeric_names(trt_pose, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", pictures, "-o", "results.json", "--model", "scripted")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [r["image_id"] for r in results] == [7, 7, 42, 42, 139, 139]
    assert {r["category_id"] for r in results} == {1}
    assert all(len(r["keypoints"]) == 51 for r in results)  # COCO's 17, though the network has a neck
    assert results[0]["file_name"] == "000000000007.jpg"
    assert "3 pictures, 6 people" in done.stderr
    assert "1 damaged" in done.stderr
    assert "000000000050.jpg" in done.stderr
    assert not list(tmp_path.glob("*.part"))


def test_coco_results_take_their_ids_from_the_annotations(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "coco.json").write_text(json.dumps({"images": [{"id": 99, "file_name": "some/people.jpg"}]}))
    arguments = ("-o", "r.json", "--annotations", "coco.json", "--model", "scripted")
    done = trt_pose("predict", SAMPLE / "people.jpg", *arguments)
    assert done.returncode == 0, done.stderr
    assert {r["image_id"] for r in json.loads((tmp_path / "r.json").read_text())} == {99}


def test_pictures_without_numbers_and_videos_are_numbered_from_one(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", SAMPLE / "people.jpg", SAMPLE / "people.mp4", "-o", "r.json", "--model", "scripted")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "r.json").read_text())
    assert sorted({r["image_id"] for r in results}) == list(range(1, 62))
    assert results[0]["file_name"] == "people.jpg"


def test_two_pictures_of_one_number_are_refused(trt_pose, pictures: Path) -> None:  # type: ignore[no-untyped-def]
    again = f"{pictures}/*07.jpg"
    done = trt_pose("predict", again, again, "-o", "r.json", "--model", "scripted")
    assert done.returncode == 1
    assert "would both have the image id 7" in done.stderr


@pytest.mark.parametrize(
    ("annotations", "complaint"),
    [({"images": []}, "people.jpg no image id"), ({"pictures": []}, "no COCO annotation file")],
)
def test_a_picture_that_the_annotations_lack_is_an_error(trt_pose, tmp_path: Path, annotations, complaint: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "coco.json").write_text(json.dumps(annotations))
    arguments = ("-o", "r.json", "--annotations", "coco.json", "--model", "scripted")
    done = trt_pose("predict", SAMPLE / "people.jpg", *arguments)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_openpose_writes_a_file_per_picture(trt_pose, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", pictures, "-o", "poses", "--format", "openpose", "--model", "scripted")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "poses").iterdir())
    assert names == [f"{n:012d}_keypoints.json" for n in (7, 42, 139)]
    person = json.loads((tmp_path / "poses" / names[0]).read_text())["people"][0]
    assert len(person["pose_keypoints_2d"]) == 54


def test_csv_and_jsonl_and_drawn_pictures(trt_pose, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", pictures, "-o", "r.csv", "--draw", "drawn", "--model", "scripted", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 3
    with (tmp_path / "r.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    assert sorted(path.stem for path in (tmp_path / "drawn").iterdir()) == [f"{n:012d}" for n in (7, 42, 139)]
    lines = trt_pose("predict", pictures, "--model", "scripted").stdout.splitlines()
    assert [Path(json.loads(line)["source"]).name for line in lines] == [f"{n:012d}.jpg" for n in (7, 42, 139)]


def test_several_paths_are_read_in_order_and_numbered_through(trt_pose, pictures: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", SAMPLE / "people.jpg", f"{pictures}/*139.jpg", "--model", "scripted")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(line["source"]).name, line["frame"]) for line in lines] == [
        ("people.jpg", 0),
        ("000000000139.jpg", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-folder/"], "no-such-folder"),
        ([SAMPLE / "people.jpg", "-o", "r.txt"], "--format"),
        ([SAMPLE / "people.jpg", "-o", "r.jsonl", "--format", "csv"], "does not end in .csv"),
        ([SAMPLE / "people.jpg", "--format", "coco"], "name it with -o"),
        ([SAMPLE / "people.jpg", "--json"], "stdout"),
        (["synthetic://people?live=1", "-o", "r.jsonl"], "never ends"),
        ([], "PATH"),
    ],
)
def test_a_mistake_is_refused_before_any_work(trt_pose, tmp_path: Path, arguments, complaint: str) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", *arguments, "--model", "scripted")
    assert done.returncode == 2, done.stderr
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_interrupting_keeps_what_is_done(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    uri = "synthetic://people?frames=1000000"
    process = start("predict", uri, "-o", "r.json", "--draw", "drawn", "--model", "scripted")
    until(lambda: (tmp_path / "drawn").is_dir() and any((tmp_path / "drawn").iterdir()), 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 130
    _, log = process.communicate()
    assert "interrupted after" in log
    assert " of 1000000, " in log
    assert json.loads((tmp_path / "r.json").read_text())


def test_people_of_a_video_have_ids_if_asked(trt_pose, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("predict", SAMPLE / "people.mp4", "-o", "out.jsonl", "--model", "scripted", "--track", "--smooth")
    assert done.returncode == 0, done.stderr
    last = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])
    assert [person["id"] for person in last["people"]] == [1, 2]
