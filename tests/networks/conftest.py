"""Weights that follow from the names of tensors, and an export to compare with."""

from __future__ import annotations

import importlib.util
import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Shapes = dict[str, tuple[int, ...]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def mm(shared: Path) -> Path:
    """The folder of the goldens that mmpose and mmdet made."""
    return shared / "golden/rtmpose"


@pytest.fixture(scope="session")
def shapes_of(mm: Path) -> Callable[[str], Shapes]:
    """``shapes_of(network)``: the names and shapes of mmpose's state dict, in its order."""

    def read(network: str) -> Shapes:
        keys = json.loads((mm / f"keys_{network}.json").read_text())
        return {key["name"]: tuple(key["shape"]) for key in keys}

    return read


@pytest.fixture(scope="session")
def filled(mm: Path) -> Callable[[Any, tuple[float, float]], Any]:
    """``filled(network, gains)``: the torch network with the weights of the goldens."""
    location = importlib.util.spec_from_file_location("detfill", mm / "detfill.py")
    assert location is not None
    assert location.loader is not None
    detfill = importlib.util.module_from_spec(location)
    location.loader.exec_module(detfill)

    def fill(network: Any, gains: tuple[float, float]) -> Any:
        import torch

        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        weights = detfill.fill_state_dict(shapes, gains)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=True)
        return network

    return fill


@pytest.fixture(scope="session")
def exported() -> Callable[..., Any]:
    """``exported(network, example, names)``: its ONNX file by torch's classic exporter, with a free batch."""

    def export(network: Any, example: Any, names: list[str]) -> Any:
        import onnx
        import torch

        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the classic exporter says that it is old
            torch.onnx.export(
                network,
                (example,),
                file,
                dynamo=False,
                opset_version=17,
                input_names=["input"],
                output_names=names,
                dynamic_axes={name: {0: "batch"} for name in ("input", *names)},
            )
        return onnx.load_from_string(file.getvalue())

    return export


@pytest.fixture(scope="session")
def run_onnx() -> Callable[..., list[np.ndarray]]:
    """``run_onnx(model, array)``: all outputs by ONNX Runtime."""
    import onnxruntime

    def run(model: Any, array: np.ndarray) -> list[np.ndarray]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        return session.run(None, {"input": array})  # type: ignore[no-any-return]

    return run


@pytest.fixture(scope="session")
def crops(mm: Path) -> np.ndarray:
    """The eight crops of the goldens as RGB normalised by ImageNet's mean and deviation: (8, 3, 256, 192) float32."""
    bgr = np.concatenate([np.load(mm / f"crops_{name}.npz")["crop"] for name in ("synth", "coco")])
    mean, std = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
    return np.ascontiguousarray(((bgr[..., ::-1] - mean) / std).transpose(0, 3, 1, 2).astype(np.float32))
