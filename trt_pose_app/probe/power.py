"""How fast this machine may run just now: power mode, clocks, temperatures, throttling. Read from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trt_pose_app.probe.board import read_text

# A cooling device of one of these kinds slows something down while its state is above 0. Fans do not.
_THROTTLES = re.compile(r"throttle|alert|cpufreq|devfreq|^processor$|^cpu-|^gpu-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Power:
    """``modes`` are nvpmodel's, id -> name. ``clocks_locked`` is what jetson_clocks does; None where unknown.

    ``temperatures_c`` and ``throttling`` name the zones and the cooling devices at work.
    """

    mode: int | None
    modes: Mapping[int, str]
    clocks_locked: bool | None
    temperatures_c: Mapping[str, float]
    throttling: tuple[str, ...]

    @property
    def mode_name(self) -> str | None:
        return None if self.mode is None else self.modes.get(self.mode, f"mode {self.mode}")

    @property
    def fastest_mode(self) -> int | None:
        """The mode without a power limit (MAXN), else the one of most watts; None where the board has no modes."""

        def watts(mode: int) -> float:
            name = self.modes[mode].upper()
            number = re.search(r"(\d+)\s*W", name)
            return float("inf") if "MAXN" in name else float(number[1]) if number else -1.0

        # Of two unlimited modes (MAXN and MAXN_SUPER) the later one in the list is the faster.
        return max(self.modes, key=lambda mode: (watts(mode), "SUPER" in self.modes[mode].upper()), default=None)


def probe_power(root: Path = Path("/")) -> Power:
    modes = re.findall(
        r"(?m)^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", read_text(root / "etc/nvpmodel.conf") or ""
    )
    mode = re.search(r"pmode:(\d+)", read_text(root / "var/lib/nvpmodel/status") or "")
    thermal = root / "sys/class/thermal"
    return Power(
        mode=int(mode[1]) if mode else None,
        modes={int(number): name for number, name in modes},
        clocks_locked=_clocks_locked(root / "sys/devices/system/cpu/cpufreq"),
        temperatures_c=_temperatures(thermal),
        throttling=tuple(
            sorted(
                read_text(device / "type") or device.name
                for device in _entries(thermal, "cooling_device*")
                if _THROTTLES.search(read_text(device / "type") or "") and (_number(device / "cur_state") or 0) > 0
            )
        ),
    )


def _clocks_locked(cpufreq: Path) -> bool | None:
    """Return whether every processor cluster is held at its highest clock."""
    ranges = [
        (_number(policy / "scaling_min_freq"), _number(policy / "scaling_max_freq"))
        for policy in _entries(cpufreq, "policy*")
    ]
    known = [(low, high) for low, high in ranges if low is not None and high is not None]
    return all(low >= high for low, high in known) if known else None


def _temperatures(thermal: Path) -> dict[str, float]:
    found = {}
    for zone in _entries(thermal, "thermal_zone*"):
        millidegrees = _number(zone / "temp")  # a sensor that is switched off gives an error or an absurd number
        if millidegrees is not None and -40_000 < millidegrees < 200_000:
            found[read_text(zone / "type") or zone.name] = millidegrees / 1000
    return found


def _entries(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _number(path: Path) -> int | None:
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None
