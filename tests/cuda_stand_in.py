"""The compiled stand-in for the CUDA runtime, and a module that stands in for TensorRT on it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from tests.tensorrt_stand_in import VERSIONS, tensorrt_stand_in
from trt_pose_app.engines.cudart import CudaRuntime


@dataclass
class StandIn:
    """``tensorrt`` is what ``import tensorrt`` gives while the fixture lives."""

    tensorrt: ModuleType
    cuda: CudaRuntime
    library: ctypes.CDLL

    @property
    def live(self) -> int:
        """Bytes and streams that nobody gave back."""
        return int(self.library.stand_in_live())

    def limit(self, size: int) -> None:
        self.library.stand_in_limit(ctypes.c_size_t(size))


@pytest.fixture(scope="session")
def cudart_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to compile the stand-in for the CUDA runtime")
    library = tmp_path_factory.mktemp("cuda") / "libcudart.so"
    source = Path(__file__).with_name("cudart.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source], check=True)
    return library


@pytest.fixture(params=VERSIONS)
def stand_in(
    request: pytest.FixtureRequest, cudart_library: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandIn]:
    """TensorRT of each recorded version on a GPU called Orin, sm 8.7."""
    module = tensorrt_stand_in(request.param)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    # Polygraphy keeps the first tensorrt it meets.
    for name in [name for name in sys.modules if name.partition(".")[0] == "polygraphy"]:
        monkeypatch.delitem(sys.modules, name)
    library = ctypes.CDLL(str(cudart_library))
    library.stand_in_live.restype = ctypes.c_size_t
    made = StandIn(module, CudaRuntime(cudart_library), library)
    yield made
    made.limit(1 << 30)
    for name in [name for name in sys.modules if name.partition(".")[0] == "polygraphy"]:
        del sys.modules[name]
