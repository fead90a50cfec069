"""The TensorRT engine inside a file that torch2trt saved, without torch2trt, torch or TensorRT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trt_pose_app.errors import ModelSpecError

_HINT = "save the module that torch2trt returned itself: torch.save(model_trt.state_dict(), 'model_trt.pth')"


@dataclass(frozen=True)
class Torch2trtEngine:
    """``engine`` is the serialised plan, bound to the GPU and the TensorRT version that it was built with."""

    engine: bytes = field(repr=False)
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


def is_torch2trt(content: Any) -> bool:
    """Return whether ``content`` is the state dict of a TRTModule, or of a network that contains some."""
    return isinstance(content, Mapping) and any(str(key).rpartition(".")[2] == "engine" for key in content)


def read_torch2trt(content: Mapping[str, Any], where: str) -> Torch2trtEngine:
    """Return the engine in a TRTModule's state dict; ``where`` names the file in errors. Raises ModelSpecError."""
    if "engine" not in content:
        nested = sorted(str(key).rpartition(".")[0] for key in content if str(key).endswith(".engine"))
        raise ModelSpecError(
            f"{where} holds a network with TensorRT engines inside it ({', '.join(nested)}), not one engine",
            hint=_HINT,
        )
    engine = content["engine"]
    if not isinstance(engine, (bytes, bytearray)) or not engine:
        raise ModelSpecError(f"{where} is of torch2trt, but its engine is empty", hint="convert the network again")
    names = {}
    for key, default in (("input_names", "input_0"), ("output_names", "output_0")):
        value = content.get(key, [default])
        if not isinstance(value, (list, tuple)) or not value or not all(isinstance(name, str) for name in value):
            raise ModelSpecError(f"{where} is of torch2trt, but its {key} are {value!r}", hint=_HINT)
        names[key] = tuple(value)
    return Torch2trtEngine(bytes(engine), names["input_names"], names["output_names"])
