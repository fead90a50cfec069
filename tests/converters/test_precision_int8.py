"""int8: which numbers are written, which layers are left out, and that the budget holds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from converters.precision import emulate_half, kept_layers, to_fp16, to_int8
from converters.precision.feeds import Feeds
from converters.precision.plain_graph import plain
from converters.precision.quantise import quantise, weighted_layers
from converters.precision.sensitivity import Switchboard
from converters.precision.session import Session
from converters.precision.thresholds import thresholds
from tests.converters.networks import pictures, small_model, small_spec
from trt_pose_app.errors import EngineBuildError
from trt_pose_app.models.spec import ModelSpec

PICTURES = pictures(6)
LAYERS = ["Conv_0", "Conv_2", "Conv_3", "Conv_4"]


def outputs(model: onnx.ModelProto, spec: ModelSpec, feed: Any = None) -> dict[str, np.ndarray]:
    return Session(model).run(list(spec.outputs.values()), feed or Feeds(model, spec, PICTURES)[0])


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def sides(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def with_an_outlier() -> onnx.ModelProto:
    """The small network with a channel that is always 0, and weights on it so large that 8 bits forget the others."""
    model = small_model()
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if tensor.name == "w1":
            values[0] = 0
        elif tensor.name == "w2":
            values[:, 0] = 50
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


@pytest.mark.parametrize("method", ["error", "entropy", "percentile", "minmax"])
def test_every_layer_computes_with_8_bits_and_agrees(method: Any) -> None:
    model, spec = small_model(), small_spec()
    # The entropy of a few thousand values is a rough guess; real pictures give millions.
    least_db = 5 if method == "entropy" else 15
    result, result_spec = to_int8(model, spec, PICTURES, method=method, budget_db=least_db)
    onnx.checker.check_model(result, full_check=True)
    assert result_spec.precision == "int8"
    assert not kept_layers(result)
    makers = sides(result)
    for node in result.graph.node:
        if node.op_type == "Conv":
            activation, weight = (makers[name] for name in node.input[:2])
            assert activation.op_type == weight.op_type == "DequantizeLinear"
            assert makers[activation.input[0]].op_type == "QuantizeLinear"
    for before, after in zip((*model.graph.input, *model.graph.output), (*result.graph.input, *result.graph.output)):
        assert before == after, "names, types and free sizes stay"
    for name, expected in outputs(model, spec).items():
        found = outputs(result, spec)[name]
        assert 10 * np.log10(np.square(expected).sum() / np.square(expected - found).sum()) > least_db


@pytest.mark.parametrize("per_channel", [True, False])
def test_numbers_are_signed_symmetric_and_those_of_onnx_runtimes_own_quantiser(
    per_channel: bool, tmp_path: Any
) -> None:
    model, spec = plain(small_model()), small_spec()

    class Reader(CalibrationDataReader):
        feeds = iter(Feeds(model, spec, PICTURES))

        def get_next(self) -> Any:
            return next(self.feeds, None)

    onnx.save(model, tmp_path / "model.onnx")
    quantize_static(
        tmp_path / "model.onnx", tmp_path / "int8.onnx", Reader(), QuantFormat.QDQ, op_types_to_quantize=["Conv"],
        per_channel=per_channel, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True, "CalibTensorRangeSymmetric": True, "QuantizeBias": False},
    )  # fmt: skip
    theirs = weights(onnx.load(tmp_path / "int8.onnx"))
    ours = weights(to_int8(model, spec, PICTURES, method="minmax", per_channel=per_channel, budget_db=0)[0])
    for name in ("w1", "w2", "wc", "wp"):
        np.testing.assert_array_equal(ours[f"{name}/int8_quantized"], theirs[f"{name}_quantized"])
        np.testing.assert_allclose(ours[f"{name}/int8_scale"], theirs[f"{name}_scale"])
        assert ours[f"{name}/int8_scale"].size == (len(ours[f"{name}/int8_quantized"]) if per_channel else 1)
    for name in ("input", "b", "c"):
        np.testing.assert_allclose(ours[f"{name}/int8_scale"], theirs[f"{name}_scale"], rtol=1e-5)
    assert all(not values.any() for name, values in ours.items() if name.endswith("zero_point"))


def test_only_the_layers_that_ask_for_it_see_rounded_numbers() -> None:
    """The residual sum reads the tensor itself, and so does a layer left in float32."""
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "w"], ["c"], name="second"),
        helper.make_node("Conv", ["b", "w"], ["cmap"], name="third"),
        helper.make_node("Add", ["b", "c"], ["paf"], name="sum"),
    ]
    value = np.random.default_rng(3).normal(size=(3, 3, 1, 1)).astype(np.float32)
    shape = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("cmap", "paf")],
        [numpy_helper.from_array(value, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    result = quantise(model, ["second"], {"b": 2.0}, per_channel=True)
    inputs = {node.name: list(node.input) for node in result.graph.node}
    assert inputs["sum"] == ["b", "c"]
    assert inputs["first"] == ["input", "w"]
    assert inputs["third"] == ["b", "w"]
    assert inputs["second"][0] != "b"


def test_layers_that_lose_most_stay_in_float32_until_the_budget_holds() -> None:
    model, spec = with_an_outlier(), small_spec()
    # One scale for all weights: the outlier of w2 takes all 8 bits.
    all_of_it, _ = to_int8(model, spec, PICTURES, per_channel=False, method="minmax", budget_db=-100)
    assert not kept_layers(all_of_it)
    result, _ = to_int8(model, spec, PICTURES, per_channel=False, method="minmax", budget_db=30)
    kept = kept_layers(result)
    assert kept
    assert "alone in int8 it leaves" in kept[0].reason
    quantised = {name for n in result.graph.node if n.op_type == "DequantizeLinear" for name in n.output}
    float_layers = {n.name for n in result.graph.node if n.op_type == "Conv" and n.input[0] not in quantised}
    assert float_layers == {layer.node for layer in kept}
    feed = Feeds(model, spec, PICTURES)[0]
    for name, expected in outputs(model, spec, feed).items():
        loss = np.square(expected - outputs(result, spec, feed)[name]).sum()
        assert 10 * np.log10(np.square(expected).sum() / loss) > 25


def test_the_switchboard_equals_the_network_it_stands_for() -> None:
    model, spec = plain(small_model()), small_spec()
    feeds = Feeds(model, spec, PICTURES)
    limits = thresholds(model, ["input", "b", "c"], feeds, "minmax", lambda *_: None)
    everything = quantise(model, LAYERS, limits, per_channel=True)
    board = Switchboard(model, everything, LAYERS, spec, feeds[:2])
    assert board.quality_db([]) == np.inf
    for layers in (LAYERS, LAYERS[:1], LAYERS[2:]):
        alone = quantise(model, layers, limits, per_channel=True)
        noise = {"cmap": 0.0, "paf": 0.0}
        signal = dict(noise)
        for feed in feeds[:2]:
            for name, expected in outputs(model, spec, feed).items():
                noise[name] += np.square(expected.astype(float) - outputs(alone, spec, feed)[name]).sum()
                signal[name] += np.square(expected.astype(float)).sum()
        worst = min(10 * np.log10(signal[name] / noise[name]) for name in noise)
        assert board.quality_db(layers) == pytest.approx(worst, abs=0.05)


def test_a_background_map_does_not_outshine_the_keypoints() -> None:
    model, spec = plain(small_model()), small_spec()
    shining = spec.model_copy(update={"paf": spec.paf.model_copy(update={"background_channel": 0})})  # type: ignore[union-attr]
    tensor = next(t for t in model.graph.initializer if t.name == "wc")
    values = numpy_helper.to_array(tensor).copy()
    values[0] *= 1000
    tensor.CopyFrom(numpy_helper.from_array(values, "wc"))
    feeds = Feeds(model, spec, PICTURES)
    limits = thresholds(model, ["input", "b", "c"], feeds, "minmax", lambda *_: None)
    everything = quantise(model, LAYERS, limits, per_channel=True)
    with_it, without = (Switchboard(model, everything, ["Conv_3"], s, feeds[:1]) for s in (spec, shining))
    assert with_it.quality_db(["Conv_3"]) != without.quality_db(["Conv_3"])


HALF_NORMAL = np.abs(np.random.default_rng(0).normal(size=200_000)).astype(np.float32)


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [
        ("minmax", 100, 100),
        ("percentile", 3.5, 4.5),  # 99.99 % of a normal distribution
        ("entropy", 2, 10),
        ("error", 3, 100),
    ],
)
def test_a_single_outlier_moves_the_threshold_as_far_as_the_method_says(method: Any, low: float, high: float) -> None:
    values = HALF_NORMAL.copy()
    values[0] = 100
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["cmap"]), helper.make_node("Identity", ["input"], ["paf"])],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", "values"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "values"]) for name in ("cmap", "paf")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    feeds: Any = [{"input": values[None]}, {"input": -HALF_NORMAL[None]}]
    found = thresholds(model, ["cmap"], feeds, method, lambda *_: None)["cmap"]
    assert low <= found <= high + 0.1


def test_a_batch_normalisation_is_folded_and_an_old_opset_brought_up() -> None:
    model = small_model()
    model.opset_import[0].version = 11
    model.graph.initializer.extend(
        numpy_helper.from_array(np.full(8, value, np.float32), name)
        for name, value in {"gamma": 2, "beta": 1, "mean": 0.5, "var": 4}.items()
    )
    model.graph.node[2].input[0] = "normed"
    model.graph.node.insert(1, helper.make_node("BatchNormalization", ["a", "gamma", "beta", "mean", "var"], ["n"]))
    model.graph.node[2].input[0] = "n"
    model.graph.node[3].input[0] = "b"
    result, _ = to_int8(model, small_spec(), PICTURES, method="minmax", budget_db=15)
    assert result.opset_import[0].version == 13
    assert "BatchNormalization" not in {node.op_type for node in result.graph.node}
    assert sum(node.op_type == "QuantizeLinear" for node in result.graph.node) == 3, "input, b and c"


def test_a_fixed_batch_gets_as_many_frames_at_a_time() -> None:
    model, spec = small_model(), small_spec()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    feeds = Feeds(model, spec, PICTURES)
    assert [feed["input"].shape for feed in feeds] == [(4, 3, 64, 96)] * 2
    to_int8(model, spec, PICTURES, method="minmax", budget_db=15)


def test_int8_layers_between_half_ones() -> None:
    model, spec = small_model(), small_spec()
    quantised, quantised_spec = to_int8(model, spec, PICTURES, method="minmax", budget_db=15)
    both, both_spec = to_fp16(quantised, quantised_spec, PICTURES)
    assert both_spec.precision == "int8"
    assert {t.data_type for t in both.graph.initializer} == {TensorProto.FLOAT16, TensorProto.INT8}
    casts = [node for node in both.graph.node if node.op_type == "Cast"]
    assert len(casts) == 3, "the input and the two outputs: none between a layer and its quantisation"
    onnx.checker.check_model(both, full_check=True)
    for name, expected in outputs(quantised, spec).items():
        found = outputs(emulate_half(both), spec)[name]
        np.testing.assert_allclose(found, expected, atol=0.15 * np.abs(expected).max())


def test_the_result_is_deterministic_and_the_input_model_unchanged() -> None:
    model, spec = with_an_outlier(), small_spec()
    before = model.SerializeToString()
    texts = {
        to_int8(model, spec, PICTURES, per_channel=False, budget_db=30)[0].SerializeToString(deterministic=True)
        for _ in range(2)
    }
    assert len(texts) == 1
    assert model.SerializeToString() == before


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    model, spec = small_model(), small_spec()
    peaks = []
    for repeated in (12, 60):
        tracemalloc.start()
        to_int8(model, spec, PICTURES[:1] * repeated, method="percentile", budget_db=15)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0], "the search holds twelve of them, nothing else holds any"


def test_every_stage_is_told_to_its_end() -> None:
    steps: list[tuple[str, int, int]] = []
    to_int8(with_an_outlier(), small_spec(), PICTURES, per_channel=False, budget_db=30,
            progress=lambda *step: steps.append(step))  # fmt: skip
    assert list(dict.fromkeys(stage for stage, _, _ in steps)) == [
        "measuring ranges", "collecting histograms", "measuring layers", "searching, seconds",
    ]  # fmt: skip
    for stage in dict.fromkeys(stage for stage, _, _ in steps):
        own = [(done, total) for name, done, total in steps if name == stage]
        assert own[-1][0] == own[-1][1]
        assert own == sorted(own)


def test_without_time_for_a_search_every_layer_is_int8() -> None:
    result, _ = to_int8(with_an_outlier(), small_spec(), PICTURES, per_channel=False, budget_db=30, search_s=0)
    assert not kept_layers(result)


def test_a_search_whose_time_is_out_still_holds_the_budget() -> None:
    options: Any = {"per_channel": False, "method": "minmax", "budget_db": 30}
    kept = kept_layers(to_int8(with_an_outlier(), small_spec(), PICTURES, search_s=1e-6, **options)[0])
    assert len(kept) >= len(kept_layers(to_int8(with_an_outlier(), small_spec(), PICTURES, **options)[0])) > 0


def test_a_network_without_weights_is_refused() -> None:
    model = small_model()
    for node in model.graph.node:
        if node.op_type == "Conv":
            node.CopyFrom(helper.make_node("Identity", node.input[:1], node.output))
    with pytest.raises(EngineBuildError, match="nothing to quantise"):
        to_int8(model, small_spec(), PICTURES)
    assert not weighted_layers(model)


def test_a_budget_that_no_layer_can_hold_is_refused() -> None:
    with pytest.raises(EngineBuildError, match="within 200 dB"):
        to_int8(small_model(), small_spec(), PICTURES, budget_db=200)
