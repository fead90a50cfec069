"""A comparison passes what is the same and stops what is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

from converters.budget import Budget, budget_for
from converters.bundle_writer import write_bundle
from converters.parity import compare
from converters.preprocess_graph import fold_preprocessing
from tests.converters.networks import pictures, small_model, small_spec
from tests.estimators.scripted import write_pose
from tests.networks import write_scripted_pose_network
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.bundle import Bundle, read_bundle


@pytest.fixture
def source(tmp_path: Path) -> Bundle:
    return write_bundle(small_model(), small_spec(), tmp_path / "source.onnx")


def test_a_network_equals_itself(source: Bundle) -> None:
    report = compare(source, source, pictures(3), threads=1)
    assert report.passed
    assert report.frames == 3
    assert [(o.role, o.max_error, o.not_finite) for o in report.outputs] == [("cmap", 0, 0), ("paf", 0, 0)]
    assert report.outputs[0].argmax == 1
    assert report.outputs[1].argmax is None


def test_each_side_prepares_its_own_input(source: Bundle, tmp_path: Path) -> None:
    folded = write_bundle(*fold_preprocessing(small_model(), small_spec()), tmp_path / "pixels.onnx")
    report = compare(source, folded, pictures(2), threads=1)
    assert report.passed
    assert 0 < report.outputs[0].relative_max < 1e-5


def test_errors_are_told_by_limit_and_output(source: Bundle, tmp_path: Path) -> None:
    other = write_bundle(small_model(noise=0.02), small_spec(), tmp_path / "other.onnx")
    report = compare(source, other, pictures(2), threads=1)
    assert not report.passed
    assert any(sentence.startswith("cmap: largest error / range is") for sentence in report.broken)
    lifted = compare(source, other, pictures(2), threads=1, budget=Budget())
    assert lifted.passed


def test_values_that_are_not_finite_always_break_it(source: Bundle, tmp_path: Path) -> None:
    model = small_model()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "wc")
    values = onnx.numpy_helper.to_array(weights).copy()
    values[0] = np.nan
    weights.CopyFrom(onnx.numpy_helper.from_array(values, "wc"))
    other = write_bundle(model, small_spec(), tmp_path / "nan.onnx")
    report = compare(source, other, pictures(1), threads=1, budget=Budget())
    assert report.broken == (f"cmap: {16 * 24} values are not finite",)
    json.dumps(report.to_dict(), allow_nan=False)


def test_people_are_matched_through_the_decoder(tmp_path: Path) -> None:
    scripted = read_bundle(write_scripted_pose_network(tmp_path))
    people = compare(scripted, scripted, pictures(2), threads=1).people
    assert people is not None
    assert (people.source, people.result, people.found, people.shift_px) == (4, 4, 1.0, 0.0)


def test_moved_people_are_measured_in_pixels_of_the_input(tmp_path: Path) -> None:
    scripted = read_bundle(write_scripted_pose_network(tmp_path))
    model = onnx.load(scripted.path)
    for tensor in model.graph.initializer:
        if tensor.name.endswith("_constant"):
            values = np.roll(onnx.numpy_helper.to_array(tensor), 2, axis=3)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    moved = write_bundle(model, scripted.spec, tmp_path / "moved.onnx")
    report = compare(scripted, moved, pictures(1), threads=1)
    assert report.people is not None
    assert report.people.found == 1.0
    assert report.people.shift_px == pytest.approx(8.0, abs=0.3)  # two cells
    assert report.outputs[0].argmax == 0.0
    assert "mean keypoint shift in px is" in " ".join(report.broken)


def test_a_fixed_batch_is_filled(source: Bundle, tmp_path: Path) -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    fixed = write_bundle(model, small_spec(), tmp_path / "four.onnx")
    assert compare(source, fixed, pictures(2), threads=1).passed


def moved_peaks(folder: Path, cells: int, *, score: float) -> tuple[Bundle, Bundle]:
    """A top-down network whose 17 scores fall from ``score`` to half of it, and one with peaks further right."""
    source = read_bundle(write_pose(folder, score=score))
    model = onnx.load(source.path)
    for tensor in model.graph.initializer:
        if tensor.name == "simcc_x_constant":
            values = np.roll(onnx.numpy_helper.to_array(tensor), cells, axis=2)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return source, write_bundle(model, source.spec, folder / "moved.onnx")


@pytest.mark.parametrize(
    ("score", "cells", "same_peaks", "people", "shift_px"),
    [
        pytest.param(0.8, 0, 1.0, 1, 0.0, id="the same"),
        pytest.param(0.8, 1, 1.0, 1, 0.5, id="a neighbour is as good"),
        pytest.param(0.8, 4, 0.0, 1, 2.0, id="two pixels are not"),
        pytest.param(0.28, 40, None, 0, 0.0, id="guesses at what is not in sight do not count"),
    ],
)
def test_of_top_down_networks_what_is_in_sight_counts(
    tmp_path: Path, score: float, cells: int, same_peaks: float | None, people: int, shift_px: float
) -> None:
    source, moved = moved_peaks(tmp_path, cells, score=score)
    report = compare(source, moved, pictures(1), threads=1)
    assert report.outputs[0].argmax == same_peaks
    assert report.people is not None
    assert (report.people.source, report.people.result, report.people.found) == (people, people, 1.0)
    assert report.people.shift_px == pytest.approx(shift_px)


@pytest.mark.parametrize(
    ("changes", "message"), [({"speed": 1.0}, "speed"), ({"argmax": -1.0}, "argmax"), ({"people": np.nan}, "people")]
)
def test_wrong_limits_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        budget_for("int8", changes, kind="paf")


def test_no_frames_prove_nothing(source: Bundle) -> None:
    with pytest.raises(ConfigError):
        compare(source, source, [])
