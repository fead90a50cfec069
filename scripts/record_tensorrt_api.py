"""Print, as JSON, the names and signatures of the installed TensorRT bindings that this project relies on.

    pip install tensorrt_cu12_bindings==10.16.1.11 && python scripts/record_tensorrt_api.py

Bindings import without TensorRT itself and without a GPU here: their library is linked against six functions that a
stand-in, compiled on the spot, provides. tests/tensorrt_api.json holds the records of several versions.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CLASSES = {
    "ILogger": ["log"],
    "Runtime": ["DLA_core", "deserialize_cuda_engine"],
    "ICudaEngine": [
        "num_io_tensors",
        "get_tensor_name",
        "get_tensor_mode",
        "get_tensor_dtype",
        "get_tensor_shape",
        "get_tensor_location",
        "get_tensor_profile_shape",
        "create_execution_context",
        "has_implicit_batch_dimension",
    ],
    "IExecutionContext": ["set_input_shape", "get_tensor_shape", "set_tensor_address", "execute_async_v3"],
    "Builder": ["create_network", "create_builder_config", "create_optimization_profile", "build_serialized_network",
                "num_DLA_cores"],
    "IBuilderConfig": ["set_flag", "clear_flag", "get_flag", "DLA_core", "default_device_type", "progress_monitor",
                       "set_memory_pool_limit", "get_memory_pool_limit", "builder_optimization_level",
                       "add_optimization_profile", "num_optimization_profiles", "create_timing_cache",
                       "set_timing_cache", "get_timing_cache"],
    "INetworkDefinition": ["num_inputs", "get_input", "num_layers", "get_layer", "get_flag"],
    "ILayer": ["name", "type", "precision", "precision_is_set", "num_outputs", "set_output_type"],
    "ITensor": ["name", "shape", "dtype", "is_shape_tensor"],
    "IOptimizationProfile": ["set_shape"],
    "ITimingCache": ["serialize", "combine"],
    "IProgressMonitor": ["phase_start", "step_complete", "phase_finish"],
    "OnnxParser": ["parse_from_file", "num_errors", "get_error"],
}  # fmt: skip
ENUMS = ["BuilderFlag", "NetworkDefinitionCreationFlag", "MemoryPoolType", "DataType", "DeviceType", "TensorIOMode",
         "TensorLocation", "LayerType"]  # fmt: skip
FUNCTIONS = ["init_libnvinfer_plugins"]
_STAND_IN = """
#define F(name) void *name(void) { return 0; }
F(createInferBuilder_INTERNAL) F(createInferRefitter_INTERNAL) F(createInferRuntime_INTERNAL)
F(createNvOnnxParser_INTERNAL) F(createNvOnnxParserRefitter_INTERNAL) F(getBuilderPluginRegistry)
F(getPluginRegistry) F(initLibNvInferPlugins) F(_ZN11nvuffparser15createUffParserEv)
F(_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi) F(_ZN14nvcaffeparser117createCaffeParserEv)
F(_ZN14nvcaffeparser123shutdownProtobufLibraryEv)
int getNvOnnxParserVersion(void) { return 0; }
"""


def record(module: Any) -> dict[str, Any]:
    """Return what ``module`` has of the names above: parameter names of functions, None for plain attributes."""
    found: dict[str, Any] = {"version": module.__version__}
    for name, members in CLASSES.items():
        if (kind := getattr(module, name, None)) is not None:
            found[name] = {m: parameters(getattr(kind, m)) for m in members if hasattr(kind, m)}
    for name in ENUMS:
        found[name] = list(getattr(module, name).__members__)
    found["functions"] = {name: parameters(getattr(module, name)) for name in FUNCTIONS if hasattr(module, name)}
    return found


def parameters(member: Any) -> list[str] | None:
    """Return the parameter names in the first signature of a binding's docstring, without self."""
    if isinstance(member, property) or not callable(member):
        return None
    documented = re.findall(r"^(?:\d+\. )?\w+\((.*)\) ->", inspect.getdoc(member) or "", re.MULTILINE)
    names = re.findall(r"(?:^|, )(\w+): ", documented[0])
    return [name for name in names if name != "self"]


def main() -> None:
    if len(sys.argv) == 1:  # first a stand-in for the libraries, then again with it on the loader's path
        spec = find_spec("tensorrt_bindings")
        if spec is None or spec.origin is None:
            sys.exit("no TensorRT bindings are installed: pip install tensorrt_cu12_bindings==10.16.1.11")
        with tempfile.TemporaryDirectory() as folder:
            compile_stand_in(Path(spec.origin).with_name("tensorrt.so"), Path(folder))
            environment = {**os.environ, "LD_LIBRARY_PATH": folder}
            sys.exit(subprocess.run([sys.executable, __file__, "--record"], env=environment).returncode)
    print(json.dumps(record(importlib.import_module("tensorrt_bindings"))))


def compile_stand_in(bindings: Path, folder: Path) -> None:
    """Compile a library under each name that ``bindings`` is linked against."""
    source = folder / "stand_in.c"
    source.write_text(_STAND_IN)
    for name in sorted(set(re.findall(rb"libnv\w+\.so\.\d+", bindings.read_bytes()))):
        library = folder / name.decode()
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{library.name}", "-o", library, source]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
