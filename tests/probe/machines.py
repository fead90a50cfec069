"""Copies of the few files by which a machine is known, and facts about machines that are not here."""

from __future__ import annotations

from pathlib import Path

from trt_pose_app.probe import Facts
from trt_pose_app.probe.board import probe_board, probe_memory
from trt_pose_app.probe.interpreter import Interpreter
from trt_pose_app.probe.packages import Imported
from trt_pose_app.probe.power import probe_power

ORIN_NANO = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: x\n",
    "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    "proc/sys/kernel/osrelease": "5.15.148-tegra\n",
    "proc/cpuinfo": "".join(
        f"processor\t: {i}\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nFeatures\t: fp asimd\n\n" for i in range(6)
    ),
    "proc/meminfo": "MemTotal:        7801400 kB\nMemAvailable:    5210000 kB\nSwapTotal:             0 kB\n",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}',
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build\n",
    "etc/nvpmodel.conf": (
        "# comment\n< PARAM TYPE=FILE NAME=CPU_ONLINE >\nCORE_1 /sys/devices/system/cpu/cpu1/online\n\n"
        "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n\n< POWER_MODEL ID=1 NAME=25W >\n\n"
        "< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n\n< PM_CONFIG DEFAULT=1 >\n"
    ),
    "var/lib/nvpmodel/status": "pmode:0001",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "729600\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1344000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48562\n",
    "sys/class/thermal/thermal_zone1/type": "tj-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "51000\n",
    "sys/class/thermal/thermal_zone2/type": "switched-off\n",
    "sys/class/thermal/thermal_zone2/temp": "-256000\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device0/cur_state": "2\n",
    "sys/class/thermal/cooling_device1/type": "cpu-throttle-alert\n",
    "sys/class/thermal/cooling_device1/cur_state": "0\n",
}

# Here the release file is missing, as in many containers; the package list tells.
THOR = {
    "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
    "var/lib/dpkg/status": (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.39-0ubuntu8\n\n"
        "Package: nvidia-l4t-core\nStatus: install ok installed\nPriority: standard\n"
        "Version: 38.2.0-20250821174705\nDescription: NVIDIA Core Package\n\n"
    ),
    "etc/os-release": 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\n',
    "proc/meminfo": "MemTotal:      128800000 kB\nMemAvailable:  120000000 kB\nSwapTotal:             0 kB\n",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "13.0.2"}}',
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=120W >\n",
    "var/lib/nvpmodel/status": "pmode:0000",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "2601000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "2601000\n",
}

PC = {
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "proc/sys/kernel/osrelease": "6.1.0\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n",
    "proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\nSwapTotal:       2097148 kB\n",
}

# Everything that can be broken, is.
DAMAGED = {
    "proc/device-tree/model": "NVIDIA Jetson \xff\0",
    "etc/nv_tegra_release": "# unreadable\n",
    "usr/local/cuda/version.json": '{"cuda": []}',
    "usr/local/cuda/version.txt": "CUDA Version 11.4.315\n",
    "proc/meminfo": "MemTotal: lots\n",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=x >\n",
    "var/lib/nvpmodel/status": "pmode:9999",
    "sys/class/thermal/thermal_zone0/temp": "warm\n",
    "sys/class/thermal/cooling_device0/cur_state/is_a": "folder\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "",
}

ABSENT = Imported(error="ModuleNotFoundError: No module named 'x'", absent=True)
CPU_ONLY_IMPORTS = {
    "cv2": Imported("5.0.0", "/x/cv2", "opencv-python-headless", details={"gstreamer": False, "gui": None}),
    "onnxruntime": Imported("1.23.2", "/x/ort", "onnxruntime", details={"providers": ["CPUExecutionProvider"]}),
    "av": Imported("14.2.0", "/x/av", "av", details={"libx264": True}),
    "tensorrt": ABSENT,
    "trt_pose_app._paf": Imported(),
    "libcuda": ABSENT,
}
JETSON_IMPORTS = {
    "cv2": Imported(
        "4.8.0", "/usr/lib/python3.10/dist-packages/cv2.so", "apt", details={"gstreamer": True, "gui": "GTK2"}
    ),
    "onnxruntime": Imported(
        "1.23.0",
        "/x/ort",
        "onnxruntime-gpu",
        details={"providers": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]},
    ),
    "av": Imported("14.2.0", "/x/av", "av", details={"libx264": True}),
    "tensorrt": Imported("10.3.0", "/usr/lib/python3.10/dist-packages/tensorrt/__init__.py", "apt"),
    "trt_pose_app._paf": Imported(),
    "libcuda": Imported("12.6", details={"gpu": "Orin", "memory_mib": 7618}),
}


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write ``files`` below ``root`` and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="latin-1")
    return root


def interpreter(*, jetson: bool, system_packages: bool = True, beside: tuple[str, ...] = ()) -> Interpreter:
    machine = "aarch64" if jetson else "x86_64"
    return Interpreter("3.10.12", "/home/u/.venv/bin/python", "/home/u/.venv", machine, "venv", system_packages, beside)


def facts(root: Path, imports: dict[str, Imported], python: Interpreter | None = None, numpy: str = "1.26.4") -> Facts:
    """Return the facts of the machine planted at ``root``."""
    board = probe_board(root)
    return Facts(
        version="0.1.0",
        board=board,
        memory=probe_memory(root),
        power=probe_power(root),
        interpreter=python or interpreter(jetson=board.jetson),
        imports=imports,
        versions={"numpy": numpy, "torch": None, "trt-pose-app": "0.1.0"},
        argus=False,
    )
