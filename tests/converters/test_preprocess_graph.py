"""A network that takes the camera's pixels computes what it computed from the normalised tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from converters.preprocess_graph import fold_preprocessing
from converters.run_model import run_model
from tests.converters.networks import pictures, small_model, small_spec
from trt_pose_app.errors import ConfigError, ModelSpecError
from trt_pose_app.estimators.preprocess import Preprocessor


@pytest.mark.parametrize("first", ["Conv", "Relu"])
@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({}, id="RGB, mean and deviation"),
        pytest.param({"colour": "bgr"}, id="BGR, mean and deviation"),
        pytest.param({"mean": (0, 0, 0), "std": (255, 255, 255)}, id="RGB, scale only"),
        pytest.param({"colour": "bgr", "mean": (0, 0, 0), "std": (1, 1, 1)}, id="BGR pixels: nothing to do"),
        pytest.param({"resize": "stretch", "padding_value": 77}, id="stretched"),
    ],
)
def test_pixels_in_give_the_same_maps(first: str, entry: dict[str, Any]) -> None:
    spec = small_spec(input=entry)
    model = small_model(first=first)
    folded, pixels = fold_preprocessing(model, spec)
    for picture in pictures(2):
        before = run_model(model, spec, Preprocessor(spec.input)(picture)[0])
        after = run_model(folded, pixels, Preprocessor(pixels.input)(picture)[0])
        for name, maps in before.items():
            np.testing.assert_allclose(after[name], maps, atol=2e-5 * np.ptp(maps))


def test_the_spec_says_what_the_graph_takes() -> None:
    folded, spec = fold_preprocessing(small_model(), small_spec())
    entry = folded.graph.input[0]
    assert (spec.input.dtype, spec.input.layout, spec.input.colour) == ("uint8", "nhwc", "bgr")
    assert (spec.input.mean, spec.input.std) == ((0, 0, 0), (1, 1, 1))
    assert [side.dim_param or side.dim_value for side in entry.type.tensor_type.shape.dim] == [
        "batch",
        "height",
        "width",
        3,
    ]
    assert entry.name == spec.input.name == "input"


def test_the_first_node_casts_as_tensorrt_wants() -> None:
    folded, _ = fold_preprocessing(small_model(), small_spec())
    assert [node.op_type for node in folded.graph.node][:4] == ["Cast", "Transpose", "Sub", "Conv"]


def test_the_given_model_stays_as_it_is() -> None:
    model = small_model()
    before = model.SerializeToString()
    fold_preprocessing(model, small_spec())
    assert model.SerializeToString() == before


def test_pixels_cannot_be_folded_twice() -> None:
    with pytest.raises(ConfigError, match="uint8 NHWC"):
        fold_preprocessing(*fold_preprocessing(small_model(), small_spec()))


def test_a_wrong_input_name_is_told() -> None:
    with pytest.raises(ModelSpecError, match="data"):
        fold_preprocessing(small_model(), small_spec(input={"name": "data"}))
