"""A module with the interface of TensorRT, as recorded from the real bindings, that runs engines with ONNX Runtime.

Every class has exactly the members that tests/tensorrt_api.json lists for its version: a name that the real module
lacks is missing here too. An "engine" is a line of JSON and the ONNX file it was built from. Messages are TensorRT's.
"""

from __future__ import annotations

import ctypes
import enum
import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime

API: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("tensorrt_api.json").read_text())
VERSIONS = list(API)
MAGIC = b"stand-in engine\n"
_MESSAGES = {
    "magic": "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion magicTagRead == "
    "kMAGIC_TAG failed.Magic tag does not match)",
    "version": "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion stdVersionRead "
    "== kSERIALIZATION_VERSION failed.Version tag does not match. Note: Current Version: 240, Serialized "
    "Engine Version: 239)",
    "plugin": "IPluginRegistry::getCreator: Error Code 4: API Usage Error (Cannot find plugin: DCNv2, version: 1, "
    "namespace:.)",
    "driver": "createInferRuntime: Error Code 6: API Usage Error (CUDA initialization failure with error: 35 In "
    "checkCudaInstallation at /_src/runtime/dispatch/runtime.cpp:811)",
    "memory": "[resizingAllocator.cpp::allocate::78] Error Code 1: Cuda Runtime (out of memory)",
}
_TYPES = {np.dtype("float32"): "FLOAT", np.dtype("float16"): "HALF", np.dtype("uint8"): "UINT8"}
_NUMPY = {name: dtype for dtype, name in _TYPES.items()}


def engine_bytes(model: bytes, version: str, profile: dict[str, Any] | None = None, broken: str = "") -> bytes:
    """Return an engine as TensorRT ``version`` builds it; ``broken`` is a key of ``_MESSAGES`` that loading meets."""
    header = {"tensorrt": version, "profile": profile or {}, "broken": broken}
    return MAGIC + json.dumps(header).encode() + b"\n" + model


def tensorrt_stand_in(version: str) -> ModuleType:
    """Return the module. Its ``calls`` lists what the builder was told, in order."""
    trt = ModuleType("tensorrt")
    api = API[version]
    calls: list[Any] = []
    trt.__version__, trt.calls = version, calls  # type: ignore[attr-defined]

    enums = {n: enum.IntEnum(n, m, start=0) for n, m in api.items() if isinstance(m, list)}
    for name, kind in enums.items():
        setattr(trt, name, kind)
    data_type, io_mode = enums["DataType"], enums["TensorIOMode"]
    trt.float32, trt.float16 = data_type["FLOAT"], data_type["HALF"]  # type: ignore[attr-defined]

    class ILogger:
        Severity = enum.IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], start=0)

        def __init__(self) -> None: ...

        def log(self, severity: Any, msg: str) -> None: ...

    class Logger(ILogger): ...

    for severity in ILogger.Severity:
        setattr(Logger, severity.name, severity)

    def fail(logger: Any, kind: str) -> None:
        assert isinstance(logger, ILogger), "the real bindings take an ILogger only"
        logger.log(Logger.ERROR, _MESSAGES[kind])  # type: ignore[attr-defined]

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self.__dict__["logger"] = logger
            if getattr(trt, "no_driver", False):
                fail(logger, "driver")
                if version.startswith("8."):
                    raise TypeError("pybind11::init(): factory function returned nullptr")

        DLA_core = -1

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
            if not serialized_engine.startswith(MAGIC):
                return fail(self.logger, "magic")
            header, _, model = serialized_engine.removeprefix(MAGIC).partition(b"\n")
            facts = json.loads(header)
            if facts["tensorrt"] != version:
                return fail(self.logger, "version")
            if facts["broken"] == "plugin":
                return fail(self.logger, "plugin")
            return ICudaEngine(self.logger, facts, model)

    class ICudaEngine:
        has_implicit_batch_dimension = False
        num_io_tensors = 0

        def __init__(self, logger: Any, facts: dict[str, Any], model: bytes) -> None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            graph = onnx.load_from_string(model).graph
            tensors = [*graph.input, *graph.output]
            self.__dict__.update(logger=logger, facts=facts, session=session, tensors={t.name: t for t in tensors})
            self.__dict__.update(num_io_tensors=len(tensors), inputs=[t.name for t in graph.input])

        def get_tensor_name(self, index: int) -> str:
            return list(self.tensors)[index]

        def get_tensor_mode(self, name: str) -> Any:
            return io_mode["INPUT" if name in self.inputs else "OUTPUT"]

        def get_tensor_dtype(self, name: str) -> Any:
            kind = self.tensors[name].type.tensor_type.elem_type
            return data_type[_TYPES[onnx.helper.tensor_dtype_to_np_dtype(kind)]]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return tuple(side.dim_value or -1 for side in self.tensors[name].type.tensor_type.shape.dim)

        def get_tensor_location(self, name: str) -> Any:
            return enums["TensorLocation"]["DEVICE"]

        def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Any]:
            assert profile_index == 0
            return self.facts["profile"][name]

        def create_execution_context(self, strategy: Any = None) -> Any:
            return fail(self.logger, "memory") if self.facts["broken"] == "memory" else IExecutionContext(self)

    class IExecutionContext:
        def __init__(self, engine: Any) -> None:
            self.__dict__.update(engine=engine, shapes={}, addresses={})

        def set_input_shape(self, name: str, shape: Any) -> bool:
            low, _, high = self.engine.facts["profile"].get(name, (shape, shape, shape))
            fits = all(a <= side <= b for a, side, b in zip(low, shape, high))
            if fits:
                self.shapes[name] = tuple(shape)
            return fits

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            if name in self.shapes:
                return self.shapes[name]
            feeds = {n: np.zeros(s, self.dtype(n)) for n, s in self.shapes.items()}
            return self.engine.session.run([name], feeds)[0].shape

        def set_tensor_address(self, name: str, memory: int) -> bool:
            self.addresses[name] = int(memory)
            return bool(memory)

        def execute_async_v3(self, stream_handle: int) -> bool:
            assert stream_handle
            feeds = {name: self.view(name) for name in self.shapes}
            names = [name for name in self.engine.tensors if name not in feeds]
            for name, result in zip(names, self.engine.session.run(names, feeds)):
                self.view(name)[...] = result
            return True

        def dtype(self, name: str) -> Any:
            return _NUMPY[self.engine.get_tensor_dtype(name).name]

        def view(self, name: str) -> Any:
            shape, dtype = self.get_tensor_shape(name), self.dtype(name)
            size = int(np.prod(shape)) * dtype.itemsize
            memory = (ctypes.c_byte * size).from_address(self.addresses[name])
            return np.frombuffer(memory, dtype).reshape(shape)

    class ITimingCache:
        def __init__(self, content: bytes) -> None:
            self.__dict__["content"] = content

        def serialize(self) -> Any:
            return IHostMemory(self.content + b"+")

        def combine(self, input_cache: Any, ignore_mismatch: bool) -> bool:
            return True

    class IHostMemory(bytes):
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

    class IOptimizationProfile:
        def __init__(self) -> None:
            self.__dict__["shapes"] = {}

        def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
            self.shapes[input] = (tuple(min), tuple(opt), tuple(max))

    class IBuilderConfig:
        DLA_core, default_device_type, num_optimization_profiles = -1, enums["DeviceType"]["GPU"], 1
        progress_monitor = builder_optimization_level = None

        def __init__(self) -> None:
            self.__dict__.update(flags=set(), profiles=[], cache=None)

        def set_flag(self, flag: Any) -> None:
            calls.append(("set_flag", flag.name))

        def clear_flag(self, flag: Any) -> None: ...

        def get_flag(self, flag: Any) -> bool:
            return False

        def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
            calls.append(("limit", pool.name, pool_size))

        def get_memory_pool_limit(self, pool: Any) -> int:
            return 0

        def add_optimization_profile(self, profile: Any) -> int:
            self.profiles.append(profile)
            return 0

        def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
            return ITimingCache(bytes(serialized_timing_cache))

        def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
            self.__dict__["cache"] = cache
            calls.append(("timing cache", cache.content))
            return True

        def get_timing_cache(self) -> Any:
            return self.cache

    class ITensor:
        is_shape_tensor, dtype = False, data_type["FLOAT"]
        name, shape = "", ()

        def __init__(self, value: Any) -> None:
            shape = tuple(side.dim_value or -1 for side in value.type.tensor_type.shape.dim)
            self.__dict__.update(name=value.name, shape=shape)

    class ILayer:
        name, precision, precision_is_set, num_outputs, type = "", None, False, 1, None

        def __init__(self, node: Any) -> None:
            kinds = {"QuantizeLinear": "QUANTIZE", "DequantizeLinear": "DEQUANTIZE"}
            self.__dict__.update(name=node.name, type=enums["LayerType"][kinds.get(node.op_type, "ELEMENTWISE")])

        def set_output_type(self, index: int, dtype: Any) -> None:
            calls.append(("float32", self.name) if dtype == data_type["FLOAT"] else ("type", self.name))

    class INetworkDefinition:
        num_inputs = num_layers = 0

        def __init__(self) -> None:
            self.__dict__.update(path=None, inputs=[], layers=[])

        def get_input(self, index: int) -> Any:
            return self.inputs[index]

        def get_layer(self, index: int) -> Any:
            return self.layers[index]

        def __getitem__(self, index: int) -> Any:
            return self.layers[index]

        def get_flag(self, flag: Any) -> bool:
            return False

    class OnnxParser:
        num_errors = 0

        def __init__(self, network: Any, logger: Any) -> None:
            self.__dict__["network"] = network

        def parse_from_file(self, model: str) -> bool:
            graph = onnx.load(model).graph
            fields = self.network.__dict__
            fields.update(path=model, inputs=[ITensor(i) for i in graph.input], layers=[ILayer(n) for n in graph.node])
            fields.update(num_inputs=len(graph.input), num_layers=len(graph.node))
            if any(node.op_type == "Unsupported" for node in graph.node):
                self.__dict__["num_errors"] = 1
                return False
            return True

        def get_error(self, index: int) -> str:
            return "In node 0 (importFallbackPluginImporter): UNSUPPORTED_NODE: Plugin not found, ..."

    class Builder:
        num_DLA_cores = 2  # noqa: N815

        def __init__(self, logger: Any) -> None:
            self.__dict__["logger"] = logger

        def create_network(self, flags: int = 0) -> Any:
            kinds = enums["NetworkDefinitionCreationFlag"]
            calls.append(("network", [kind.name for kind in kinds if flags & 1 << int(kind)]))
            return INetworkDefinition()

        def create_builder_config(self) -> Any:
            return IBuilderConfig()

        def create_optimization_profile(self) -> Any:
            return IOptimizationProfile()

        def build_serialized_network(self, network: Any, config: Any) -> Any:
            calls.append(("dla", config.default_device_type.name, config.DLA_core))
            if "progress_monitor" in config.__dict__:
                monitor = config.progress_monitor
                monitor.phase_start("Build", None, 2)
                if not (monitor.step_complete("Build", 0) and monitor.step_complete("Build", 1)):
                    return None
                monitor.phase_finish("Build")
            if getattr(trt, "fails_with", None):
                self.logger.log(Logger.ERROR, trt.fails_with)  # type: ignore[attr-defined]
                return None
            model = Path(network.path).read_bytes()
            return IHostMemory(engine_bytes(model, version, config.profiles[0].shapes))

    def init_libnvinfer_plugins(logger: Any, namespace: str) -> bool:
        return True

    trt.ILogger, trt.Logger = ILogger, Logger  # type: ignore[attr-defined]
    trt.init_libnvinfer_plugins = init_libnvinfer_plugins  # type: ignore[attr-defined]
    kinds = (Runtime, ICudaEngine, IExecutionContext, Builder, IBuilderConfig, INetworkDefinition, ILayer, ITensor)
    for kind in (*kinds, IOptimizationProfile, ITimingCache, OnnxParser):
        _restrict(kind, api[kind.__name__])
        setattr(trt, kind.__name__, kind)
    if "IProgressMonitor" in api:

        class IProgressMonitor:
            def __init__(self) -> None: ...

        trt.IProgressMonitor = IProgressMonitor  # type: ignore[attr-defined]
    return trt


def _restrict(kind: Any, members: dict[str, list[str] | None]) -> None:
    """Take from ``kind`` what the real class lacks; check the parameters of the rest; forbid other attributes."""
    public = [name for name in vars(kind) if not name.startswith("_") and name not in ("dtype", "view")]
    if kind.__name__ == "ITensor":
        public.append("dtype")
    for name in public:
        if name not in members:
            delattr(kind, name)
        elif callable(getattr(kind, name)) and not isinstance(getattr(kind, name), enum.Enum):
            mine = [p for p in inspect.signature(getattr(kind, name)).parameters if p != "self"]
            wanted = members[name] or []
            assert mine[: len(wanted)] == wanted, (kind.__name__, name, mine, wanted)

    def set_attribute(self: Any, name: str, value: Any) -> None:
        if name not in members:
            raise AttributeError(f"{kind.__name__} has no attribute {name}")
        self.__dict__[name] = value

    kind.__setattr__ = set_attribute
