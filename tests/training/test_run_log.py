"""The log of a run: losses by kind, goes on after an interruption, and readable by TensorBoard where that is wanted."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from trt_pose_app.training.run_log import RunLog


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def only_csv(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # what an import of a missing package finds


def test_a_row_has_the_mean_losses_and_what_was_measured(tmp_path, only_csv):
    log = RunLog(tmp_path, 0)
    for loss in (1.0, 3.0):
        log.learnt({"loss": loss, "loss_cmap": 0.5}, 32)
    log.write(2, 0.001, {"pck": 0.7, "ap": 0.4, "ap50": 0.6})
    log.learnt({"loss": 5.0, "loss_cmap": 0.25}, 32)
    log.write(3, 0.001, None)
    log.close()
    first, second = rows(tmp_path)
    assert (first["loss"], first["loss_cmap"], first["pck"], first["ap"]) == ("2", "0.5", "0.7", "0.4")
    assert (second["loss"], second["pck"], second["loss_teacher"]) == ("5", "", "")
    assert float(first["samples_per_s"]) > 0


def test_what_has_no_value_is_left_empty(tmp_path, only_csv):
    log = RunLog(tmp_path, 0)
    log.learnt({"loss": 1.0}, 1)
    log.write(1, 0.1, {"pck": 0.0, "ap": float("nan"), "ap50": float("nan")})
    assert (rows(tmp_path)[0]["pck"], rows(tmp_path)[0]["ap"]) == ("0", "")


def test_a_continued_log_has_every_step_once(tmp_path, only_csv):
    older = "step,loss,learning_rate,samples_per_s,pck\n20,0.5,0.001,30,\n40,0.4,0.001,30,0.6\n60,0.3,0.0"
    (tmp_path / "log.csv").write_text(older)
    log = RunLog(tmp_path, 40)
    log.learnt({"loss": 0.25, "loss_paf": 0.125}, 32)
    log.write(60, 0.001, None)
    assert [(row["step"], row["loss"], row["loss_paf"]) for row in rows(tmp_path)] == [
        ("20", "0.5", ""),
        ("40", "0.4", ""),
        ("60", "0.25", "0.125"),
    ]
    assert rows(tmp_path)[1]["pck"] == "0.6"


def test_without_tensorboardx_one_line_says_so(tmp_path, only_csv, caplog):
    with caplog.at_level("INFO"):
        RunLog(tmp_path, 0).close()
    assert [record.message for record in caplog.records] == [
        "no files for TensorBoard, only log.csv: pip install tensorboardX for both"
    ]
    assert not (tmp_path / "tensorboard").exists()


def test_tensorboard_gets_the_same_figures(tmp_path):
    pytest.importorskip("tensorboardX", reason="an extra")
    from tensorboardX.proto.event_pb2 import Event

    log = RunLog(tmp_path, 0)
    log.learnt({"loss": 2.0, "loss_cmap": 0.5}, 32)
    log.write(20, 0.001, {"pck": 0.75, "ap": 0.5, "ap50": 0.25})
    log.close()
    (path,) = (tmp_path / "tensorboard").iterdir()
    content, figures = path.read_bytes(), {}
    while content:  # records of TensorFlow: length, its checksum, the event, its checksum
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        figures |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        content = content[16 + length :]
    assert figures["loss/all", 20] == 2.0
    assert figures["loss/confidence_maps", 20] == 0.5
    assert (figures["validation/pck", 20], figures["validation/ap", 20]) == (0.75, 0.5)
