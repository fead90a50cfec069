"""What an Add adds to a convolution goes into its bias, and nothing else does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime")

from converters.precision import emulate_half, to_fp16
from converters.precision.fold_bias import fold_bias
from converters.precision.session import Session
from tests.converters.networks import pictures, small_spec

RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(size=(4, 3, 1, 1)).astype(np.float32)
PER_CHANNEL = RNG.normal(size=(1, 4, 1, 1)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)


def network(addend: np.ndarray, *, bias: bool = False, reverse: bool = False, reread: bool = False) -> onnx.ModelProto:
    """A convolution and an Add; ``reread``: the convolution's own output is an output as well."""
    operands = ["made", "addend"]
    nodes = [
        helper.make_node("Conv", ["input", "weights", *(["bias"] if bias else [])], ["made"], name="convolution"),
        helper.make_node("Add", operands[::-1] if reverse else operands, ["sum"], name="add"),
    ]
    shape = ["n", 4, "h", "w"]
    constants = {"weights": WEIGHTS, "addend": addend, **({"bias": BIAS} if bias else {})}
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("sum", *(["made"] if reread else []))],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("addend", "options", "nodes"),
    [
        pytest.param(PER_CHANNEL, {}, 1, id="without a bias"),
        pytest.param(PER_CHANNEL, {"bias": True}, 1, id="to a bias"),
        pytest.param(PER_CHANNEL[0], {"reverse": True}, 1, id="without a batch axis, first operand"),
        pytest.param(PER_CHANNEL, {"reread": True}, 2, id="somebody else reads the convolution"),
        pytest.param(np.float32(2).reshape(()), {}, 2, id="one number"),
        pytest.param(RNG.normal(size=(1, 1, 5, 6)).astype(np.float32), {}, 2, id="a number for each place"),
        pytest.param(RNG.normal(size=(2, 4, 1, 1)).astype(np.float32), {}, 2, id="a number for each picture"),
    ],
)
def test_the_result_computes_the_same(addend: np.ndarray, options: dict[str, bool], nodes: int) -> None:
    model = network(addend, **options)
    folded = fold_bias(model)
    onnx.checker.check_model(folded, full_check=True)
    assert len(folded.graph.node) == nodes
    assert model == network(addend, **options)
    feed = {"input": RNG.normal(size=(2, 3, 5, 6)).astype(np.float32)}
    (expected,), (found,) = (Session(one).run(["sum"], feed).values() for one in (model, folded))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_half_numbers_do_not_lose_what_the_sum_cancels() -> None:
    """9993.75 less 9984: between 8192 and 16384 half numbers count by eights."""
    model = network(np.full((1, 4, 1, 1), -9984, np.float32))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(np.full((4, 3, 1, 1), 3328, np.float32), "weights"))
    outputs = {"heatmap": "sum"}
    skeleton = {"name": "four", "parts": list("abcd"), "limbs": []}
    spec = small_spec(kind="heatmap", skeleton=skeleton, outputs=outputs, heatmap={}, paf=None)
    half, _ = to_fp16(model, spec, pictures(1))
    feed = {"input": np.full((1, 3, 2, 2), 1 + 2**-10, np.float32)}
    np.testing.assert_allclose(Session(emulate_half(half)).run(["sum"], feed)["sum"], 9.75)
