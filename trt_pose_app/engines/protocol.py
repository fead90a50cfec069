"""The seam between networks and everything else."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from numpy.typing import NDArray
from typing_extensions import Self

from trt_pose_app.types import TensorSpec


class Engine(Protocol):
    """One network on one device.

    ``backend`` names the runtime and device, such as ``onnxruntime-cpu``. The arrays that ``infer`` returns live on
    the host and stay valid until the next ``infer``. Raises EngineError.
    """

    backend: str

    @property
    def inputs(self) -> Mapping[str, TensorSpec]: ...

    @property
    def outputs(self) -> Mapping[str, TensorSpec]: ...

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
