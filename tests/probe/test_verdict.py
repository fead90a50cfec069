from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.probe.machines import (
    ABSENT,
    CPU_ONLY_IMPORTS,
    DAMAGED,
    JETSON_IMPORTS,
    ORIN_NANO,
    PC,
    THOR,
    facts,
    interpreter,
    plant,
)
from trt_pose_app.probe.check import Check
from trt_pose_app.probe.packages import Imported
from trt_pose_app.probe.verdict import judge


def verdict(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_a_pc_without_gpu_passes_everything(tmp_path: Path) -> None:
    checks = judge(facts(plant(tmp_path, PC), CPU_ONLY_IMPORTS, numpy="2.4.6"))
    assert {check.status for check in checks} == {"pass"}
    assert "not needed" in verdict(checks, "TensorRT").detail


def test_a_thor_set_up_well_passes_everything(tmp_path: Path) -> None:
    checks = judge(facts(plant(tmp_path, THOR), JETSON_IMPORTS))
    assert {check.status for check in checks} == {"pass"}
    assert "JetPack 7.0" in verdict(checks, "board").detail


def test_an_orin_nano_is_told_about_its_power_mode_and_swap(tmp_path: Path) -> None:
    checks = judge(facts(plant(tmp_path, ORIN_NANO), JETSON_IMPORTS))
    assert {check.name: check.fix for check in checks if check.status != "pass"} == {
        "power mode": "sudo nvpmodel -m 2",
        "swap": "sudo fallocate -l 4G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile "
        "&& sudo swapon /swapfile",
    }


OPENCV, RUNTIME = CPU_ONLY_IMPORTS["cv2"], CPU_ONLY_IMPORTS["onnxruntime"]


@pytest.mark.parametrize(
    ("machine", "module", "found", "name", "status", "fix"),
    [
        # OpenCV
        (PC, "cv2", ABSENT, "import", "fail", "pip install 'trt-pose-app[cpu]'"),
        (PC, "cv2", Imported(error="ImportError: libGL.so.1: cannot"), "import", "fail", "sudo apt install libgl1"),
        (ORIN_NANO, "cv2", ABSENT, "import", "fail", "sudo apt install --reinstall python3-opencv"),
        (
            ORIN_NANO,
            "cv2",
            Imported(error="ImportError: /lib/libgomp.so.1: cannot allocate memory in static TLS block"),
            "import",
            "fail",
            "export LD_PRELOAD=/lib/libgomp.so.1",
        ),
        (
            ORIN_NANO,
            "cv2",
            OPENCV,
            "GStreamer",
            "warn",
            "pip uninstall -y opencv-python-headless && sudo apt install python3-opencv "
            "&& pip install 'numpy>=1.26,<2'",
        ),
        (
            PC,
            "cv2",
            replace(OPENCV, rivals=("opencv-python",)),
            "one package only",
            "warn",
            "pip uninstall -y opencv-python-headless opencv-python && pip install opencv-python-headless",
        ),
        # engines
        (PC, "onnxruntime", ABSENT, "ONNX Runtime", "fail", "pip install onnxruntime"),
        (
            PC,
            "onnxruntime",
            Imported(error="the import crashed with SIGILL"),
            "ONNX Runtime",
            "fail",
            "pip install --force-reinstall onnxruntime",
        ),
        (
            ORIN_NANO,
            "onnxruntime",
            RUNTIME,
            "ONNX Runtime",
            "warn",
            "pip uninstall -y onnxruntime && pip install onnxruntime-gpu  (the wheel for JetPack 6.2)",
        ),
        (
            PC,
            "libcuda",
            Imported("13.0", details={"gpu": "H200"}),
            "ONNX Runtime",
            "warn",
            "pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
        ),
        (ORIN_NANO, "tensorrt", ABSENT, "TensorRT", "warn", "sudo apt install tensorrt python3-libnvinfer"),
        (
            ORIN_NANO,
            "tensorrt",
            Imported(error="ImportError: libnvdla_compiler.so: cannot open shared object file"),
            "TensorRT",
            "warn",
            "sudo apt install --reinstall nvidia-l4t-dla-compiler",
        ),
        (
            THOR,
            "tensorrt",
            Imported(error="ImportError: libnvdla_compiler.so: cannot open shared object file"),
            "TensorRT",
            "warn",
            "sudo apt install --reinstall tensorrt python3-libnvinfer",
        ),
        (ORIN_NANO, "libcuda", ABSENT, "CUDA", "warn", "docker run --runtime nvidia ..."),
        # the rest
        (PC, "av", ABSENT, "PyAV", "warn", "pip install 'trt-pose-app[video]'"),
        (
            PC,
            "av",
            Imported("14", details={"libx264": False}),
            "PyAV",
            "warn",
            "pip install --force-reinstall --only-binary av av",
        ),
        (
            PC,
            "trt_pose_app._paf",
            ABSENT,
            "native",
            "warn",
            "sudo apt install g++ python3-dev && "
            "pip install --force-reinstall --no-deps --no-binary :all: trt-pose-app",
        ),
    ],
)
def test_each_trouble_has_its_fix(
    tmp_path: Path, machine: dict[str, str], module: str, found: Imported, name: str, status: str, fix: str
) -> None:
    imports = CPU_ONLY_IMPORTS if machine is PC else JETSON_IMPORTS
    check = verdict(judge(facts(plant(tmp_path, machine), {**imports, module: found})), name)
    assert (check.status, check.fix) == (status, fix)


@pytest.mark.parametrize(("numpy", "fix"), [("2.2.6", "pip install 'numpy>=1.26,<2'"), ("1.26.4", "pip install --upg")])
def test_modules_for_another_numpy_fail(tmp_path: Path, numpy: str, fix: str) -> None:
    broken = {**JETSON_IMPORTS, "onnxruntime": Imported(error="ImportError: x", numpy_abi=True)}
    check = verdict(judge(facts(plant(tmp_path, ORIN_NANO), broken, numpy=numpy)), "modules built for it")
    assert check.status == "fail"
    assert check.fix.startswith(fix)
    assert "onnxruntime" in check.detail


def test_a_closed_environment_on_a_jetson_hides_the_tensorrt_of_the_board(tmp_path: Path) -> None:
    bindings = "/usr/lib/python3.10/dist-packages/tensorrt/__init__.py"
    python = interpreter(jetson=True, system_packages=False, beside=(bindings,))
    checks = judge(facts(plant(tmp_path, ORIN_NANO), {**JETSON_IMPORTS, "tensorrt": ABSENT}, python))
    for name in ("environment", "TensorRT"):
        assert verdict(checks, name).status == "warn"
        assert verdict(checks, name).fix == "/usr/bin/python3 -m venv --system-site-packages /home/u/.venv"
    assert bindings in verdict(checks, "TensorRT").detail


def test_a_board_that_is_slowed_down_says_by_what(tmp_path: Path) -> None:
    files: dict[str, str] = {"sys/class/thermal/cooling_device1/cur_state": "3\n"}
    check = verdict(judge(facts(plant(tmp_path, ORIN_NANO | files), JETSON_IMPORTS)), "throttling")
    assert (check.status, check.detail) == ("warn", "slowed down by cpu-throttle-alert")


@pytest.mark.parametrize(("free_mib", "status"), [(50_000, "pass"), (500, "warn"), (10, "fail")])
def test_a_full_disk_is_noticed(tmp_path: Path, free_mib: int, status: str) -> None:
    known = facts(plant(tmp_path, PC), CPU_ONLY_IMPORTS)
    known = replace(known, memory=replace(known.memory, disk_free_mib=free_mib))
    assert verdict(judge(known), "disk").status == status


@pytest.mark.parametrize("files", [PC, THOR, ORIN_NANO, DAMAGED, {}])
@pytest.mark.parametrize("imports", [CPU_ONLY_IMPORTS, JETSON_IMPORTS, {}, dict.fromkeys(JETSON_IMPORTS, ABSENT)])
def test_whatever_does_not_pass_has_a_fix(tmp_path: Path, files: dict[str, str], imports: dict[str, Any]) -> None:
    for check in judge(facts(plant(tmp_path, files), imports)):
        assert check.detail
        assert bool(check.fix) == (check.status != "pass")
