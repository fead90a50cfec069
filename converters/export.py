"""A torch network as ONNX."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import onnx

from converters.fold_batch_norm import fold_batch_norm
from converters.simplify import simplify
from converters.torch_threads import one_torch_thread
from trt_pose_app.errors import ConfigError, EngineBuildError
from trt_pose_app.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

# TensorRT 8.6 (JetPack 6.0) reads opsets up to 17, and TensorRT 10.16 still reads 17.
OPSET = 17
OPSETS = range(11, 21)
_IR_VERSION = 8  # of opset 17; an older ONNX Runtime refuses a newer one although it could run the graph

_FREE_SIZE_KINDS = ("paf", "detector")  # fully convolutional; the others have layers that fix the picture's size


def export_onnx(
    network: nn.Module, spec: ModelSpec, *, batch: int | None = None, opset: int = OPSET, free_size: bool | None = None
) -> onnx.ModelProto:
    """Return ``network``, in eval mode, as a simplified ONNX model with the tensor names of ``spec``.

    ``batch`` is fixed, or free with None. ``free_size`` leaves the picture's height and width open; by default they
    are for networks that can take any, ``kind`` paf and detector. The network takes (N, 3, H, W) float32 and returns
    its outputs in the order of ``spec.outputs``. Batch normalisation is folded.
    Raises ConfigError for an opset out of range, EngineBuildError if torch cannot express the network in ONNX.
    """
    import torch

    if opset not in OPSETS:
        raise ConfigError(
            f"opset {opset} is not supported", hint=f"use {OPSETS[0]}..{OPSETS[-1]}; TensorRT 8.6 reads up to 17"
        )
    free_size = spec.kind in _FREE_SIZE_KINDS if free_size is None else free_size
    example = torch.zeros(batch or 1, 3, spec.input.height, spec.input.width)
    names = list(spec.outputs.values())
    network.eval()
    with one_torch_thread(), torch.no_grad():
        outputs = network(example)
    outputs = (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
    if len(outputs) != len(names):
        raise EngineBuildError(
            f"{spec.name} returns {len(outputs)} outputs, its spec names {len(names)}: {', '.join(names)}",
            hint="correct [outputs] of the spec",
        )
    axes = {name: _free_axes(output.ndim, batch is None, free_size, name) for name, output in zip(names, outputs)}
    axes[spec.input.name] = _free_axes(4, batch is None, free_size, "")
    file = io.BytesIO()
    with warnings.catch_warnings(), one_torch_thread():
        # The classic exporter warns that it is old. The new one starts at opset 18, which TensorRT 8.6 cannot read.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                network,
                (example,),
                file,
                input_names=[spec.input.name],
                output_names=names,
                dynamic_axes={name: free for name, free in axes.items() if free},
                opset_version=opset,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise EngineBuildError(
                f"torch cannot write {spec.name} as ONNX: {str(error).splitlines()[0]}", hint="try another --opset"
            ) from error
    model = onnx.load_from_string(file.getvalue())
    del file
    model.ir_version = min(model.ir_version, _IR_VERSION)
    model.producer_name, model.producer_version = "trt-pose-app", ""
    return simplify(fold_batch_norm(model), spec)


def _free_axes(n_axes: int, free_batch: bool, free_size: bool, name: str) -> dict[int, str]:
    """Return axis -> its name. Maps of an own size must not share the names of the picture's sides."""
    axes = {0: "batch"} if free_batch else {}
    if free_size and n_axes == 4:
        axes |= {2: f"{name}_height".lstrip("_"), 3: f"{name}_width".lstrip("_")}
    return axes
