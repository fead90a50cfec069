"""PafLayout: how a network's confidence and affinity maps are to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trt_pose_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PafLayout:
    """Where the parts and limbs of a skeleton lie in the two outputs.

    ``limbs`` are the skeleton's (from, to) pairs. Limb i has the affinity channels ``limb_channels[i]``, by default
    2i and 2i + 1, whose meaning is ``component_order``: trt_pose writes y before x. The confidence channels are the
    parts in the skeleton's order, ``background_channel`` left out. ``stride`` is in input pixels per cell,
    ``map_offset`` says what a cell stands for (``Geometry.cell_to_frame``). ``attach_only_limbs`` are indices of
    limbs that may add a part to a person but never found one or join two. ``cmap`` and ``paf`` name the outputs.

    Raises ConfigError if this contradicts itself.
    """

    limbs: tuple[tuple[int, int], ...]
    limb_channels: tuple[tuple[int, int], ...] | None = None
    component_order: Literal["xy", "yx"] = "xy"
    background_channel: int | None = None
    stride: float = 8
    map_offset: float = 0.5
    attach_only_limbs: tuple[int, ...] = ()
    cmap: str = "cmap"
    paf: str = "paf"

    def __post_init__(self) -> None:
        problems = []
        if any(a == b or min(a, b) < 0 for a, b in self.limbs):
            problems.append("a limb joins a part to itself or has a negative index")
        if self.limb_channels is not None and len(self.limb_channels) != len(self.limbs):
            problems.append(f"{len(self.limb_channels)} pairs of limb_channels for {len(self.limbs)} limbs")
        if any(min(pair) < 0 for pair in self.channels):
            problems.append("limb_channels has a negative channel")
        if any(not 0 <= limb < len(self.limbs) for limb in self.attach_only_limbs):
            problems.append("attach_only_limbs names a limb that is not there")
        if self.component_order not in ("xy", "yx"):
            problems.append(f"component_order is {self.component_order!r}, not 'xy' or 'yx'")
        if not self.stride > 0:
            problems.append("stride must be positive")
        if problems:
            raise ConfigError(f"paf layout: {'; '.join(problems)}", hint="correct the model's [paf] table")

    @property
    def channels(self) -> tuple[tuple[int, int], ...]:
        """The two affinity channels of every limb, as stored."""
        if self.limb_channels is not None:
            return self.limb_channels
        return tuple((2 * i, 2 * i + 1) for i in range(len(self.limbs)))

    def part_channels(self, k_parts: int) -> list[int]:
        """Return the confidence channel of each of ``k_parts`` parts."""
        skipped = self.background_channel
        return [part + (skipped is not None and part >= skipped) for part in range(k_parts)]

    def limb_table(self) -> list[tuple[int, int, int, int, bool]]:
        """Return (from, to, x channel, y channel, attach only) for every limb."""
        x, y = (0, 1) if self.component_order == "xy" else (1, 0)
        return [
            (a, b, pair[x], pair[y], i in self.attach_only_limbs)
            for i, ((a, b), pair) in enumerate(zip(self.limbs, self.channels))
        ]
