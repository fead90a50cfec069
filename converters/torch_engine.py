"""A torch network behind the run time's engine interface, to be compared with its conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.torch_threads import one_torch_thread
from trt_pose_app.closing import Closing
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.types import TensorSpec

if TYPE_CHECKING:
    from torch import nn


class TorchEngine(Closing):
    """``network``, in eval mode, with the tensor names of ``spec``. It returns its outputs in the spec's order.

    It computes on one thread, see ``one_torch_thread``.
    """

    backend = "torch"

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        self._network = network.eval()
        self.inputs = {spec.input.name: TensorSpec(spec.input.name, (-1, 3, -1, -1), "float32")}
        self.outputs = {name: TensorSpec(name, (-1,), "float32") for name in spec.outputs.values()}

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run the network on the one input."""
        import torch

        (tensor,) = feeds.values()
        with one_torch_thread(), torch.no_grad():
            outputs = self._network(torch.from_numpy(np.ascontiguousarray(tensor)))
        outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        return {name: output.numpy() for name, output in zip(self.outputs, outputs)}

    def close(self) -> None:
        """Nothing to free: the network is the caller's."""
