"""What a TensorRT engine was built from and for: the key that says whether it may still be used."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trt_pose_app.engines.cudart import Gpu
from trt_pose_app.errors import EngineStaleError
from trt_pose_app.types import TensorSpec

Shape = tuple[int, ...]
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """The file ``name.engine.json`` beside ``name.engine``.

    ``source`` is the ONNX file's name and ``source_sha256`` its checksum. ``profile`` gives the least, the best and
    the greatest shape of each input, ``options`` whatever else changes the result. ``command`` builds it again.
    ``inputs`` and ``outputs`` are the network's tensors, so that nobody needs the GPU to know them.
    """

    tensorrt: str
    gpu: str
    sm: str
    source: str
    source_sha256: str
    profile: Mapping[str, tuple[Shape, Shape, Shape]]
    options: Mapping[str, str | int]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    command: str

    @property
    def key(self) -> str:
        """The cache key: equal exactly when building again would give the same engine."""
        fields = dataclasses.asdict(self)
        for described_elsewhere in ("source", "inputs", "outputs", "command"):
            del fields[described_elsewhere]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def dla_core(self) -> int | None:
        core = self.options.get("dla_core")
        return None if core is None else int(core)

    def stale_because(self, tensorrt: str, gpu: Gpu, source: Path | None, sha256: str | None) -> list[str]:
        """Return, in words, everything that changed since: TensorRT, GPU, and ``source`` with its ``sha256``."""
        reasons = []
        if tensorrt != self.tensorrt:
            reasons.append(f"TensorRT is {tensorrt} and was {self.tensorrt}")
        if (gpu.name, gpu.sm) != (self.gpu, self.sm):
            reasons.append(f"the GPU is {gpu.name} (sm {gpu.sm}) and was {self.gpu} (sm {self.sm})")
        if sha256 is not None and sha256 != self.source_sha256:
            reasons.append(f"{source} changed")
        return reasons

    def write(self, engine: Path) -> None:
        """Write the record of ``engine`` beside it. Raises OSError."""
        content = {"format": _FORMAT, "key": self.key, **dataclasses.asdict(self)}
        record_path(engine).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, engine: Path) -> EngineRecord | None:
        """Return the record beside ``engine``, None if it has none. Raises EngineStaleError for a broken one."""
        path = record_path(engine)
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields.pop("format") != _FORMAT:
                raise ValueError("it is of another version of this program")
            del fields["key"]
            return cls._from(fields)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise EngineStaleError(
                f"{path} cannot be read: {error}", hint=f"build again: {rebuild_command(engine, None)}"
            ) from error

    @classmethod
    def _from(cls, fields: dict[str, Any]) -> EngineRecord:
        for side in ("inputs", "outputs"):
            fields[side] = tuple(TensorSpec(t["name"], tuple(t["shape"]), t["dtype"]) for t in fields[side])
        shapes = fields["profile"].items()
        fields["profile"] = {name: (tuple(low), tuple(best), tuple(high)) for name, (low, best, high) in shapes}
        return cls(**fields)


def record_path(engine: Path) -> Path:
    """Return where the record of ``engine`` lies."""
    return engine.with_name(f"{engine.name}.json")


def rebuild_command(engine: Path, record: EngineRecord | None) -> str:
    """Return the command that builds ``engine`` again."""
    return record.command if record else f"trt-pose convert {engine.with_suffix('.onnx')} --to engine -o {engine}"
