"""How an engine is to be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trt_pose_app.errors import ConfigError
from trt_pose_app.types import TensorSpec

Shape = tuple[int, ...]
Profile = Mapping[str, tuple[Shape, Shape, Shape]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """``batch`` is (least, best, greatest); ``sizes`` likewise (width, height), None: the spec's alone.

    ``workspace_mib`` bounds the scratch memory of single layers, None: TensorRT decides. ``dla_core`` runs what the
    deep learning accelerator of an Orin can, the GPU the rest. ``level`` 0..5 trades build time for speed (TensorRT's
    default is 3). ``timing_cache`` remembers measurements and makes the next build much faster.
    Raises ConfigError for values that contradict each other.
    """

    batch: tuple[int, int, int] = (1, 1, 1)
    sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None = None
    workspace_mib: int | None = None
    dla_core: int | None = None
    level: int | None = None
    timing_cache: Path | None = None

    def __post_init__(self) -> None:
        wrong = []
        if not 1 <= self.batch[0] <= self.batch[1] <= self.batch[2]:
            wrong.append(f"batch {self.batch} does not ascend from 1")
        if self.sizes is not None:
            for side, name in enumerate(("widths", "heights")):
                low, best, high = (size[side] for size in self.sizes)
                if not 1 <= low <= best <= high:
                    wrong.append(f"{name} {low}, {best}, {high} do not ascend from 1")
        if self.workspace_mib is not None and self.workspace_mib < 1:
            wrong.append(f"workspace of {self.workspace_mib} MiB")
        if self.dla_core is not None and self.dla_core not in (0, 1):
            wrong.append(f"DLA core {self.dla_core}: an Orin has 0 and 1")
        if self.level is not None and not 0 <= self.level <= 5:
            wrong.append(f"level {self.level} leaves 0..5")
        if wrong:
            raise ConfigError("; ".join(wrong), hint="docs/tensorrt.md lists the options of an engine")

    def profile(self, tensors: tuple[TensorSpec, ...], layout: str, size: tuple[int, int]) -> Profile:
        """Return the least, best and greatest shape of each input; ``size`` is the spec's (width, height).

        The network's own batch stays where it is fixed. Raises ConfigError where the DLA, which knows no free sides,
        would get one, or where the options ask a fixed size to be another.
        """
        sizes = self.sizes or (size, size, size)
        profile = {}
        for tensor in tensors:
            shapes = []
            own = tensor.shape[0]
            for batch, (width, height) in zip(self.batch if own == -1 else (own,) * 3, sizes):
                wanted = (batch, 3, height, width) if layout == "nchw" else (batch, height, width, 3)
                if any(fixed not in (-1, side) for fixed, side in zip(tensor.shape, wanted)):
                    raise ConfigError(
                        f"input {tensor.name!r} of the network is fixed to {tensor.shape}, asked for is {wanted}",
                        hint="export it again with free sides, or leave out the option",
                    )
                shapes.append(wanted)
            profile[tensor.name] = (shapes[0], shapes[1], shapes[2])
            if self.dla_core is not None and len(set(shapes)) > 1:
                raise ConfigError(
                    "the DLA takes one shape only", hint="give one batch and one size, or leave the DLA out"
                )
        return profile

    def recorded(self) -> dict[str, str | int]:
        """Return those options that change the engine and are not in its profile."""
        chosen = {"workspace_mib": self.workspace_mib, "dla_core": self.dla_core, "level": self.level}
        return {name: value for name, value in chosen.items() if value is not None}
