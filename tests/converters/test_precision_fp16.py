"""Half numbers: what is written, what stays in float32, and that it computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.precision import emulate_half, kept_layers, to_fp16
from converters.precision.feeds import Feeds
from converters.precision.fp16 import write_half
from converters.precision.plain_graph import element_types, plain
from converters.precision.session import Session
from tests.converters.networks import pictures, small_model, small_spec
from trt_pose_app.errors import ConfigError, EngineBuildError, ModelSpecError
from trt_pose_app.models.spec import ModelSpec

PICTURES = pictures(2)
RAW = {"mean": (0, 0, 0), "std": (1, 1, 1)}  # pixels go in as they are


def network(nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> onnx.ModelProto:
    """A graph from "input" (n, 3, h, w) to "cmap"; "paf" is the input passed through."""
    graph = helper.make_graph(
        [*nodes, helper.make_node("Identity", ["input"], ["paf"], name="pass")],
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [
            helper.make_tensor_value_info("cmap", TensorProto.FLOAT, ["n", "c", "i", "j"]),
            helper.make_tensor_value_info("paf", TensorProto.FLOAT, ["n", 3, "h", "w"]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """A node named after its output."""
    return helper.make_node(operator, inputs.split(), [output], name=output, **attributes)


def outputs(model: onnx.ModelProto, spec: ModelSpec) -> dict[str, np.ndarray]:
    return Session(model).run(list(spec.outputs.values()), Feeds(model, spec, PICTURES)[0])


def kept(model: onnx.ModelProto) -> dict[str, str]:
    return {layer.node: layer.reason for layer in kept_layers(model)}


def scale_norm(*, squares: str) -> list[onnx.NodeProto]:
    """x / |x| over the channels, as exporters write it."""
    length = {
        "ReduceL2": [node("ReduceL2", "x", "length", axes=[1], keepdims=1)],
        "Mul": [
            node("Mul", "x x", "squares"),
            node("ReduceSum", "squares axis", "sum", keepdims=1),
            node("Sqrt", "sum", "length"),
        ],
        "Pow": [
            node("Pow", "x two", "squares"),
            node("ReduceMean", "squares", "sum", axes=[1], keepdims=1),
            node("Sqrt", "sum", "length"),
        ],
    }[squares]
    return [
        node("Mul", "input gain", "x"),
        *length,
        node("Clip", "length least", "safe"),
        node("Div", "x safe", "cmap"),
    ]


NORM_CONSTANTS = {
    "gain": np.float32(2.0),  # pixels up to 510, whose squares half numbers cannot hold
    "axis": np.array([1]),
    "two": np.float32(2),
    "least": np.float32(1e-5),
}


@pytest.mark.parametrize("squares", ["ReduceL2", "Mul", "Pow"])
def test_a_norm_that_overflows_in_half_stays_in_float32(squares: str) -> None:
    model, spec = network(scale_norm(squares=squares), NORM_CONSTANTS), small_spec(input=RAW)
    expected = outputs(model, spec)["cmap"]
    naive = emulate_half(write_half(plain(model), {}))
    assert np.abs(outputs(naive, spec)["cmap"] - expected).max() > 0.3, "a length of infinity makes a norm of zero"
    half, _ = to_fp16(model, spec, PICTURES)
    np.testing.assert_allclose(outputs(emulate_half(half), spec)["cmap"], expected, atol=1e-3)
    np.testing.assert_allclose(outputs(half, spec)["cmap"], expected, atol=1e-3)
    assert "length" in kept(half) if squares == "ReduceL2" else {"squares", "sum", "length"} <= kept(half).keys()
    assert "x" not in kept(half), "510 is well within half"


def test_onnx_runtime_alone_would_not_show_the_overflow() -> None:
    model, spec = network(scale_norm(squares="Mul"), NORM_CONSTANTS), small_spec(input=RAW)
    naive = write_half(plain(model), {})
    np.testing.assert_allclose(outputs(naive, spec)["cmap"], outputs(model, spec)["cmap"], atol=1e-2)
    assert not outputs(emulate_half(naive), spec)["cmap"].all()


CASES = {
    "a large activation and its readers": (
        [node("Mul", "input big", "wide"), node("Relu", "wide", "relu"), node("Mul", "relu small", "cmap")],
        {"big": np.float32(1000), "small": np.float32(1e-3)},
        {"wide", "relu", "cmap"},
    ),
    "a square has the wider margin": (
        [node("Mul", "input root", "x"), node("Mul", "x x", "square"), node("Sqrt", "square", "cmap")],
        {"root": np.float32(0.3)},
        {"square"},
    ),
    "a constant beyond half": ([node("Add", "input far", "far_off"), node("Sub", "far_off far", "cmap")],
                               {"far": np.float32(1e6)}, {"far_off", "cmap"}),
    "a tiny epsilon and the root behind it": (
        [node("Mul", "input fraction", "x"), node("Add", "x epsilon", "sum"), node("Sqrt", "sum", "root"),
         node("Add", "root one", "cmap")],
        {"fraction": np.float32(1e-2), "epsilon": np.float32(1e-7), "one": np.float32(1)},
        {"sum", "root"},
    ),
    "a divisor that vanishes": (
        [node("Mul", "input small", "x"), node("Clip", "x least", "safe"), node("Div", "input safe", "cmap")],
        {"small": np.float32(1e-2), "least": np.float32(1e-4)},
        {"cmap"},
    ),
    "a mean over many values": (
        [node("GlobalAveragePool", "input", "mean"), node("Mul", "mean small", "cmap")],
        {"small": np.float32(0.1)},
        {"mean"},
    ),
    "a count beyond 2048": (
        [node("Shape", "input", "shape"), node("ReduceProd", "shape", "count", keepdims=0),
         node("Cast", "count", "number", to=TensorProto.FLOAT), node("Mod", "number five", "rest", fmod=1),
         node("Add", "input rest", "cmap")],
        {"five": np.float32(5)},
        {"number", "rest", "cmap"},
    ),
    "a bound beyond half is cut": ([node("Clip", "input low high", "cmap")],
                                   {"low": np.float32(0), "high": np.float32(1e9)}, set()),
    "nothing special": ([node("Mul", "input small", "x"), node("Sigmoid", "x", "cmap")],
                        {"small": np.float32(0.01)}, set()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_keep_list_is_found(case: str) -> None:
    nodes, constants, expected = CASES[case]
    model, spec = network(nodes, constants), small_spec(input=RAW)
    half, half_spec = to_fp16(model, spec, PICTURES)
    assert kept(half).keys() == expected
    assert half_spec.precision == "fp16"
    wanted, found = outputs(model, spec)["cmap"], outputs(emulate_half(half), spec)["cmap"]
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-3 * np.abs(wanted).max())


def test_values_between_two_kept_nodes_never_pass_through_half() -> None:
    nodes, constants, _ = CASES["a large activation and its readers"]
    half, _ = to_fp16(network(nodes, constants), small_spec(input=RAW), PICTURES)
    types = element_types(half)
    assert types["wide"] == types["relu"] == TensorProto.FLOAT
    casts = [n for n in half.graph.node if n.op_type == "Cast"]
    assert len(casts) == 2, "the passed input to half and back: nothing that is kept needs any"


def test_weights_and_activations_are_half_and_the_ends_are_not() -> None:
    model, spec = small_model(), small_spec()
    half, _ = to_fp16(model, spec, PICTURES)
    onnx.checker.check_model(half, full_check=True)
    assert {t.data_type for t in half.graph.initializer} == {TensorProto.FLOAT16}
    for before, after in zip((*model.graph.input, *model.graph.output), (*half.graph.input, *half.graph.output)):
        assert before == after, "names, types and free sizes stay"
    types = element_types(half)
    assert all(types[n.output[0]] == TensorProto.FLOAT16 for n in half.graph.node if n.op_type in ("Conv", "Relu"))
    assert half.ByteSize() < 0.6 * model.ByteSize()
    for runs in (half, emulate_half(half)):
        for name, values in outputs(model, spec).items():
            np.testing.assert_allclose(outputs(runs, spec)[name], values, atol=4e-3 * np.abs(values).max())


def test_scales_of_a_resize_stay_in_float32() -> None:
    nodes = [node("Resize", "input none scales", "cmap", mode="linear", coordinate_transformation_mode="align_corners")]
    constants = {"none": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    half, _ = to_fp16(network(nodes, constants), small_spec(input=RAW), PICTURES)
    resize = next(n for n in half.graph.node if n.op_type == "Resize")
    assert element_types(half)[resize.input[2]] == TensorProto.FLOAT
    assert element_types(half)[resize.input[0]] == TensorProto.FLOAT16


def test_pictures_of_bytes_are_cast_straight_to_half() -> None:
    model = network([node("Cast", "input", "x", to=TensorProto.FLOAT), node("Mul", "x small", "cmap")],
                    {"small": np.float32(0.5)})  # fmt: skip
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.UINT8
    half, _ = to_fp16(model, small_spec(input=RAW | {"dtype": "uint8"}), PICTURES)
    assert half.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    assert not kept_layers(half)
    assert [n.op_type for n in half.graph.node if n.name != "pass"] == ["Cast", "Mul", "Cast"]


def test_the_input_model_is_not_changed_and_the_result_is_deterministic() -> None:
    model, spec = small_model(), small_spec(origin={"licence": "Apache-2.0", "sha256": "0" * 64})
    before = model.SerializeToString()
    first, first_spec = to_fp16(model, spec, PICTURES)
    assert model.SerializeToString() == before
    assert first.SerializeToString(deterministic=True) == to_fp16(model, spec, PICTURES)[0].SerializeToString(
        deterministic=True
    )
    assert first_spec.origin.sha256 is None, "that was of the source"


@pytest.mark.parametrize(("pattern", "names"), [("Sigmoid", {"cmap"}), ("x", {"x"}), ("*", {"x", "cmap", "pass"})])
def test_more_can_be_kept_by_name_or_operator(pattern: str, names: set[str]) -> None:
    nodes, constants, _ = CASES["nothing special"]
    half, _ = to_fp16(network(nodes, constants), small_spec(input=RAW), PICTURES, keep=[pattern])
    assert kept(half).keys() == names


def test_what_cannot_be_converted_is_refused_with_the_reason() -> None:
    nodes, constants, _ = CASES["nothing special"]
    model, spec = network(nodes, constants), small_spec(input=RAW)
    with pytest.raises(ConfigError, match="no node matches 'Softmax'"):
        to_fp16(model, spec, PICTURES, keep=["Softmax"])
    with pytest.raises(ConfigError, match="no frames"):
        to_fp16(model, spec, [])
    with pytest.raises(ModelSpecError, match="the network has the inputs input, its spec says data"):
        to_fp16(model, small_spec(input={"name": "data"}), PICTURES)
    model.graph.node.insert(0, helper.make_node("If", ["c"], ["d"], then_branch=onnx.GraphProto()))
    with pytest.raises(EngineBuildError, match="branch or loop"):
        to_fp16(model, spec, PICTURES)


def test_progress_is_told_to_the_end() -> None:
    steps: list[tuple[str, int, int]] = []
    to_fp16(small_model(), small_spec(), PICTURES, progress=lambda *step: steps.append(step))
    assert steps == [("measuring ranges", i, 2) for i in (0, 1, 2)]


@pytest.mark.shared
def test_a_real_network_agrees_at_every_size(shared: Path) -> None:
    model = onnx.load(shared / "weights/openpose-lightweight.onnx")
    spec = ModelSpec.read(Path(__file__).parents[2] / "weights/openpose-lightweight.toml")
    spec = spec.model_copy(update={"input": spec.input.model_copy(update={"width": 96, "height": 64})})
    half, _ = to_fp16(model, spec, PICTURES)
    original, emulated = Session(model), Session(emulate_half(half))
    for height, width in ((64, 96), (128, 72)):
        feed = {"data": np.random.default_rng(1).uniform(0, 255, (1, 3, height, width)).astype(np.float32)}
        expected, found = (one.run(["Mconv7_stage2_L2"], feed)["Mconv7_stage2_L2"] for one in (original, emulated))
        np.testing.assert_allclose(found, expected, atol=0.02)
