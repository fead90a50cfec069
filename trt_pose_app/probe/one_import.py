"""Imports one module and reports on it. Runs in a process of its own: such an import can crash or never end."""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
from typing import Any


def main() -> None:
    """Import the module that the command line names and print one line of JSON about it."""
    name = sys.argv[2]
    try:
        report = _cuda() if name == "libcuda" else _imported(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a foreign module raises is the finding)
        report = {"error": f"{type(error).__name__}: {error}".strip()}
    # Modules may print while they are imported; the reader takes the last line.
    sys.stdout.write("\n" + json.dumps(report) + "\n")


def _imported(name: str) -> dict[str, Any]:
    module = importlib.import_module(name)
    report: dict[str, Any] = {
        "version": getattr(module, "__version__", None),
        "file": getattr(module, "__file__", None),
    }
    if name == "cv2":
        report["build"] = module.getBuildInformation()
    elif name == "onnxruntime":
        report["providers"] = module.get_available_providers()
    elif name == "av":
        report["libx264"] = "libx264" in module.codecs_available
    return report


def _cuda() -> dict[str, Any]:
    """Ask the driver library for its CUDA version and the first GPU's name and memory."""
    driver = ctypes.CDLL("libcuda.so.1")
    version, device, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    if status := driver.cuDriverGetVersion(ctypes.byref(version)):
        raise OSError(f"cuDriverGetVersion returned {status}")
    report: dict[str, Any] = {"version": f"{version.value // 1000}.{version.value % 1000 // 10}"}
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return {**report, "error": "the driver library is there, but no GPU answers"}
    if driver.cuDeviceGetName(name, len(name), device) == 0:
        report["gpu"] = name.value.decode(errors="replace")
    if driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device) == 0:
        report["memory_mib"] = memory.value // 2**20
    return report


if __name__ == "__main__":
    main()
