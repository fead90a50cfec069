"""Which machine this is: board, L4T and JetPack, operating system, processor, memory, GPU driver and CUDA.

Everything is read from files under ``root``, so that a tree copied from another machine can be probed as well.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

# L4T release -> JetPack, longest prefix first. NVIDIA's own projects disagree on 36.5 (6.2.1 or 6.2.2).
_JETPACK = (
    ("36.4.0", "6.1"),
    ("36.4.3", "6.2"),
    ("36.4.4", "6.2.1"),
    ("36.4.7", "6.2.1"),
    ("36.3", "6.0"),
    ("36.4", "6.1 or 6.2"),
    ("36.5", "6.2.2"),
    ("38.2", "7.0"),
    ("38.4", "7.1"),
    ("39.2", "7.2"),
    ("35.", "5.1"),
    ("32.", "4"),
)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Board:
    """``model`` is the device tree's name, None on a PC. ``jetson`` is true where L4T runs. Unknown facts are None."""

    model: str | None
    jetson: bool
    l4t: str | None
    jetpack: str | None
    os: str | None
    kernel: str | None
    cpu: str | None
    cpu_cores: int | None
    nvidia_driver: str | None
    cuda_toolkit: str | None


@dataclass(frozen=True, slots=True)
class Memory:
    """All in MiB. ``disk_free_mib`` is that of the file system which holds the model cache."""

    total_mib: int | None
    available_mib: int | None
    swap_mib: int | None
    disk_free_mib: int | None


def read_text(path: Path) -> str | None:
    """Return a file's text without surrounding blanks and NULs, or None if there is none to be had."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace").strip(" \t\r\n\0")
    except (OSError, ValueError):
        return None


def probe_board(root: Path = Path("/")) -> Board:
    model = read_text(root / "proc/device-tree/model") or read_text(root / "sys/firmware/devicetree/base/model")
    l4t = _l4t(root)
    cpuinfo = read_text(root / "proc/cpuinfo") or ""
    return Board(
        model=model,
        jetson=l4t is not None or "jetson" in (model or "").lower(),
        l4t=l4t,
        jetpack=_jetpack(l4t),
        os=_match(r'(?m)^PRETTY_NAME="?([^"\n]+)', read_text(root / "etc/os-release")),
        kernel=read_text(root / "proc/sys/kernel/osrelease"),
        cpu=_match(r"(?m)^(?:model name|Model)\s*:\s*(.+)$", cpuinfo),
        cpu_cores=len(re.findall(r"(?m)^processor\s*:", cpuinfo)) or None,
        nvidia_driver=_match(r"Kernel Module.*?\s(\d+(?:\.\d+)+)", read_text(root / "proc/driver/nvidia/version")),
        cuda_toolkit=_cuda_toolkit(root),
    )


def probe_memory(root: Path = Path("/"), cache: Path | None = None) -> Memory:
    """``cache`` is a directory, which need not exist, on the file system to measure; default: ``root``."""
    meminfo = read_text(root / "proc/meminfo") or ""

    def mib(key: str) -> int | None:
        kib = _match(rf"(?m)^{key}:\s+(\d+) kB", meminfo)
        return None if kib is None else int(kib) * 1024 // _MIB

    return Memory(mib("MemTotal"), mib("MemAvailable"), mib("SwapTotal"), _disk_free(cache or root))


def _l4t(root: Path) -> str | None:
    """Return the release, such as 36.4.3, from its file or, where a container lacks that, from the package list."""
    release = re.search(r"# R(\d+) \(release\), REVISION: ([\d.]+)", read_text(root / "etc/nv_tegra_release") or "")
    if release:
        return f"{release[1]}.{release[2]}"
    packages = read_text(root / "var/lib/dpkg/status")
    return _match(r"(?m)^Package: nvidia-l4t-core\n(?:.+\n)*?Version: ([\d.]+)", packages)


def _jetpack(l4t: str | None) -> str | None:
    return next((jetpack for prefix, jetpack in _JETPACK if (l4t or "").startswith(prefix)), None)


def _cuda_toolkit(root: Path) -> str | None:
    text = read_text(root / "usr/local/cuda/version.json")
    try:
        version = json.loads(text)["cuda"]["version"] if text else None
    except (ValueError, KeyError, TypeError):
        version = None
    return str(version) if version else _match(r"CUDA Version ([\d.]+)", read_text(root / "usr/local/cuda/version.txt"))


def _disk_free(directory: Path) -> int | None:
    for existing in (directory, *directory.parents):
        if existing.exists():
            try:
                return shutil.disk_usage(existing).free // _MIB
            except OSError:
                return None
    return None


def _match(pattern: str, text: str | None) -> str | None:
    found = re.search(pattern, text or "")
    return found[1].strip() if found else None
