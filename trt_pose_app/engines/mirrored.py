"""The memory of one tensor: on the host, page-locked, and on the device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.engines.cudart import CudaRuntime


class Mirrored:
    """``host``, an array, and ``device``, the address of as many bytes. Empty until the first ``resize``."""

    def __init__(self, cuda: CudaRuntime, dtype: str) -> None:
        self._cuda, self._dtype = cuda, dtype
        self.host: NDArray[Any] = np.empty(0, dtype)
        self.device = 0

    def resize(self, shape: tuple[int, ...]) -> None:
        """Make room for ``shape``. Raises EngineError."""
        if shape == self.host.shape:
            return
        self.free()
        # The host's side last: its shape says that both are there.
        self.device = self._cuda.allocate(max(1, math.prod(shape) * np.dtype(self._dtype).itemsize))
        self.host = self._cuda.host_array(shape, self._dtype)

    def upload(self, stream: int) -> None:
        self._cuda.upload(self.device, self.host, stream)

    def download(self, stream: int) -> None:
        self._cuda.download(self.host, self.device, stream)

    def free(self) -> None:
        """Give the device's memory back, and the host's once nobody looks at it. Idempotent."""
        self.host = np.empty(0, self._dtype)
        if self.device:
            self._cuda.free(self.device)
        self.device = 0
