"""A torch network as ONNX computes the same, for any batch and size that it is exported for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="exporting needs torch")
pytest.importorskip("onnxslim")

from torch import nn  # noqa: E402  # after the check for torch

from converters.export import export_onnx  # noqa: E402
from converters.fold_batch_norm import fold_batch_norm  # noqa: E402
from converters.run_model import run_model  # noqa: E402
from tests.converters.networks import small_spec  # noqa: E402
from trt_pose_app.errors import ConfigError, EngineBuildError  # noqa: E402


class SmallNetwork(nn.Module):
    """Everything that the exporter treats in its own way: normalisation behind both convolutions, and before one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(), nn.BatchNorm2d(8),
            nn.ConvTranspose2d(8, 12, 4, 2, 1, groups=2), nn.BatchNorm2d(12), nn.ReLU(),
        )  # fmt: skip
        self.cmap, self.paf = nn.Conv2d(12, 18, 1), nn.Conv2d(12, 42, 1)

    def forward(self, x: Any) -> tuple[Any, Any]:
        features = self.body(x)
        return self.cmap(features), self.paf(features)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(3)
    made = SmallNetwork()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean):
                nn.init.uniform_(values.data if isinstance(values, nn.Parameter) else values, 0.2, 1.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return made.eval()


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    return [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize(
    ("options", "entry", "cmap"),
    [
        ({}, ["batch", 3, "height", "width"], ["batch", 18, "cmap_height", "cmap_width"]),
        ({"batch": 2}, [2, 3, "height", "width"], [2, 18, "cmap_height", "cmap_width"]),
        ({"free_size": False}, ["batch", 3, 64, 96], ["batch", 18, 16, 24]),
        ({"batch": 1, "free_size": False}, [1, 3, 64, 96], [1, 18, 16, 24]),
    ],
)
def test_what_is_free_and_what_is_fixed(
    network: nn.Module, options: dict[str, Any], entry: list[int | str], cmap: list[int | str]
) -> None:
    model = export_onnx(network, small_spec(), **options)
    assert shape_of(model.graph.input[0]) == entry
    assert shape_of(model.graph.output[0]) == cmap
    assert [output.name for output in model.graph.output] == ["cmap", "paf"]


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 64, 96), (3, 64, 96), (1, 32, 128)])
def test_it_computes_the_same_at_other_batches_and_sizes(
    network: nn.Module, batch: int, height: int, width: int
) -> None:
    spec = small_spec()
    model = export_onnx(network, spec)
    picture = np.random.default_rng(1).normal(size=(batch, 3, height, width)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(picture))
    found = run_model(model, spec, picture)
    for name, maps in zip(("cmap", "paf"), wanted):
        np.testing.assert_allclose(found[name], maps.numpy(), atol=1e-5)


def test_normalisation_is_folded_where_it_follows_a_convolution(network: nn.Module) -> None:
    model = export_onnx(network, small_spec())
    operators = Counter(node.op_type for node in model.graph.node)
    assert operators["BatchNormalization"] == 1  # the one behind a ReLU
    assert operators["ConvTranspose"] == 1
    onnx.checker.check_model(model)


def test_folding_leaves_the_given_model_alone(network: nn.Module) -> None:
    model = export_onnx(network, small_spec())
    before = model.SerializeToString()
    fold_batch_norm(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize(("opset", "ir_version"), [(13, 8), (17, 8)])
def test_old_runtimes_can_read_it(network: nn.Module, opset: int, ir_version: int) -> None:
    model = export_onnx(network, small_spec(), opset=opset)
    assert model.opset_import[0].version == opset
    assert model.ir_version <= ir_version


def test_an_opset_out_of_range_is_told(network: nn.Module) -> None:
    with pytest.raises(ConfigError, match="opset 9"):
        export_onnx(network, small_spec(), opset=9)


def test_a_spec_with_another_number_of_outputs_is_told(network: nn.Module) -> None:
    spec = small_spec(outputs={"cmap": "cmap", "paf": "paf", "more": "more"})
    with pytest.raises(EngineBuildError, match="2 outputs, its spec names 3"):
        export_onnx(network, spec)
