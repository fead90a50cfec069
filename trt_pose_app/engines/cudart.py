"""The few functions of the CUDA runtime that an executor needs, called through ctypes.

CUDA's runtime library is on every Jetson; cuda-python, pycuda and polygraphy are not, and must fit the CUDA version
where they are. Not verified on hardware: tests run it on a stand-in library of the same functions, and on the real
library without a GPU.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DependencyError, EngineError

_NAMES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
_FOLDERS = ("/usr/local/cuda/lib64", "/usr/local/cuda/targets/aarch64-linux/lib")
_WHEELS = ("nvidia/cuda_runtime/lib", "nvidia/cu13/lib")  # where NVIDIA's pip packages put it, below site-packages

_OUT_OF_MEMORY = 2
# cudaDeviceAttr: ComputeCapabilityMajor and -Minor.
_SM_MAJOR, _SM_MINOR = 75, 76
# cudaDeviceProp begins with char name[256] in every version; its size, near 1 kB, differs between them.
_PROPERTIES_BYTES, _NAME_BYTES = 16384, 256
_HOST_TO_DEVICE, _DEVICE_TO_HOST = 1, 2

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_SIGNATURES: dict[str, list[Any]] = {
    "cudaGetDeviceCount": [ctypes.POINTER(_INT)],
    "cudaDeviceGetAttribute": [ctypes.POINTER(_INT), _INT, _INT],
    "cudaMalloc": [ctypes.POINTER(_POINTER), _SIZE],
    "cudaFree": [_POINTER],
    "cudaHostAlloc": [ctypes.POINTER(_POINTER), _SIZE, ctypes.c_uint],
    "cudaFreeHost": [_POINTER],
    "cudaStreamCreate": [ctypes.POINTER(_POINTER)],
    "cudaStreamSynchronize": [_POINTER],
    "cudaStreamDestroy": [_POINTER],
    "cudaMemcpyAsync": [_POINTER, _POINTER, _SIZE, _INT, _POINTER],
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first GPU: its name, and its compute capability as NVIDIA writes it ("8.7")."""

    name: str
    sm: str


class CudaRuntime:
    """The loaded library. Raises DependencyError where there is none, or no GPU that it can use."""

    def __init__(self, library: Path | None = None) -> None:
        self._library = _load(library)
        self._library.cudaGetErrorString.restype = ctypes.c_char_p
        self._library.cudaGetErrorString.argtypes = [_INT]
        for name, arguments in _SIGNATURES.items():
            getattr(self._library, name).argtypes = arguments
        count = _INT()
        status = self._library.cudaGetDeviceCount(ctypes.byref(count))
        if status or not count.value:
            # Asked before TensorRT is: without a GPU, its Runtime() returns a hollow object and any use of that ends
            # the process with a segmentation fault (10.16 and 11.4).
            reason = f"CUDA error {status}: {self._text(status)}" if status else "CUDA sees no device"
            raise DependencyError(
                f"there is no NVIDIA GPU that CUDA can use ({reason})",
                hint="`trt-pose doctor` checks driver and CUDA; in a container give --runtime nvidia or --gpus all; "
                "the .onnx of the model runs on the CPU",
            )

    def gpu(self) -> Gpu:
        """Return the name and compute capability of the first GPU."""
        major, minor = _INT(), _INT()
        self._call("cudaDeviceGetAttribute", ctypes.byref(major), _SM_MAJOR, 0)
        self._call("cudaDeviceGetAttribute", ctypes.byref(minor), _SM_MINOR, 0)
        properties = ctypes.create_string_buffer(_PROPERTIES_BYTES)
        # CUDA 12 renamed the function when the structure grew; 13 took the old name back.
        names = ("cudaGetDeviceProperties_v2", "cudaGetDeviceProperties")
        function = next(name for name in names if hasattr(self._library, name))
        self._call(function, properties, 0)
        name = properties.raw[:_NAME_BYTES].split(b"\0")[0].decode("utf-8", errors="replace")
        return Gpu(name, f"{major.value}.{minor.value}")

    def allocate(self, size: int) -> int:
        """Return the address of ``size`` bytes of device memory. Raises EngineError when there is not so much."""
        return self._pointer("cudaMalloc", size)

    def free(self, address: int) -> None:
        self._call("cudaFree", address)

    def host_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Return a new array in page-locked host memory, from which copies run beside the CPU.

        The memory goes back with the last view of it. Raises EngineError.
        """
        size = max(1, int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
        address = self._pointer("cudaHostAlloc", size, 0)
        memory = (ctypes.c_byte * size).from_address(address)
        # At exit CUDA is gone before Python's objects are.
        weakref.finalize(memory, self._library.cudaFreeHost, address).atexit = False
        count = int(np.prod(shape, dtype=np.int64))
        flat: NDArray[Any] = np.frombuffer(memoryview(memory), dtype, count)
        return flat.reshape(shape)

    def create_stream(self) -> int:
        return self._pointer("cudaStreamCreate")

    def synchronise(self, stream: int) -> None:
        """Wait until the stream's work is done. Raises EngineError for what went wrong in it."""
        self._call("cudaStreamSynchronize", stream)

    def destroy_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def upload(self, device: int, host: NDArray[Any], stream: int) -> None:
        """Begin to copy ``host``, C-contiguous, to the device."""
        self._call("cudaMemcpyAsync", device, host.ctypes.data, host.nbytes, _HOST_TO_DEVICE, stream)

    def download(self, host: NDArray[Any], device: int, stream: int) -> None:
        """Begin to fill ``host``, C-contiguous, from the device."""
        self._call("cudaMemcpyAsync", host.ctypes.data, device, host.nbytes, _DEVICE_TO_HOST, stream)

    def _pointer(self, function: str, *arguments: int) -> int:
        pointer = _POINTER()
        self._call(function, ctypes.byref(pointer), *arguments)
        return int(pointer.value or 0)

    def _call(self, function: str, *arguments: Any) -> None:
        if status := getattr(self._library, function)(*arguments):
            hint = "`trt-pose doctor` checks driver and CUDA; after a driver update restart the machine"
            if status == _OUT_OF_MEMORY:
                hint = "close other programs, use a smaller model or input size, or a smaller batch"
            raise EngineError(f"{function} failed with CUDA error {status}: {self._text(status)}", hint=hint)

    def _text(self, status: int) -> str:
        text: bytes = self._library.cudaGetErrorString(status)
        return text.decode("utf-8", errors="replace")


def _load(library: Path | None) -> Any:
    candidates: list[str] = [str(library)] if library else [*_NAMES, *_installed()]
    for candidate in candidates:
        try:
            return ctypes.CDLL(candidate)
        except OSError:
            continue
    raise DependencyError(
        f"the CUDA runtime library was not found (looked for {', '.join(candidates)})",
        hint="a Jetson needs its JetPack's CUDA, a PC the package nvidia-cuda-runtime; the .onnx of the model runs "
        "on the CPU",
    )


def _installed() -> list[str]:
    folders = [Path(folder) for folder in _FOLDERS]
    folders += [Path(entry) / wheel for entry in sys.path if entry for wheel in _WHEELS]
    return [str(file) for folder in folders for file in sorted(folder.glob("libcudart.so*"))]
