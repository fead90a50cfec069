"""What the facts about a machine mean for running a pose network there. Pure functions of the facts."""

from __future__ import annotations

from collections.abc import Mapping

from trt_pose_app.probe import Facts
from trt_pose_app.probe.check import Check, Status
from trt_pose_app.probe.packages import Imported

_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 10), (3, 13)
_OLDEST_NUMPY = (1, 24)
_LOW_MEMORY_MIB = 1024
_SMALL_BOARD_MIB = 8192  # building an engine on such a board wants more than it has
_LOW_DISK_MIB, _NO_DISK_MIB = 1024, 100
_HOT_C = 90.0
_ABSENT = Imported(error="not looked for", absent=True)


def judge(facts: Facts) -> list[Check]:
    """Return the checks that follow from the facts alone, in the order in which to mend things."""
    return [
        *_platform(facts),
        *_python(facts),
        *_numpy(facts),
        *_opencv(facts),
        *_engine(facts),
        *_native(facts),
        *_video(facts),
        *_resources(facts),
        *_speed(facts),
    ]


def _platform(facts: Facts) -> list[Check]:
    board = facts.board
    name = board.model or f"{facts.interpreter.machine} computer"
    system = Check("platform", "system", "pass", _listed(board.os, board.kernel, board.cpu, _cores(board.cpu_cores)))
    if not board.jetson:
        return [Check("platform", "board", "pass", f"{name}, no Jetson"), system]
    if board.l4t is None:
        fix = "docker run -v /etc/nv_tegra_release:/etc/nv_tegra_release:ro --runtime nvidia ..."
        return [Check("platform", "board", "warn", f"{name}, L4T release unknown: in a container?", fix), system]
    jetpack = f"JetPack {board.jetpack}" if board.jetpack else "a JetPack not known here"
    if int(board.l4t.partition(".")[0]) < 36:
        fix = "sdkmanager  (on a PC beside the board: install JetPack 6 or 7)"
        return [Check("platform", "board", "warn", f"{name}, L4T {board.l4t}, {jetpack}: too old", fix), system]
    return [Check("platform", "board", "pass", f"{name}, L4T {board.l4t}, {jetpack}"), system]


def _python(facts: Facts) -> list[Check]:
    python = facts.interpreter
    numbers = _numbers(python.version)[:2]
    if _OLDEST_PYTHON <= numbers <= _NEWEST_PYTHON:
        checks = [Check("python", "version", "pass", f"{python.version} ({python.executable})")]
    else:
        detail = f"{python.version}; tested are 3.10 to 3.13"
        checks = [Check("python", "version", "warn", detail, "python3.12 -m venv .venv")]
    place = f"{python.environment} {python.prefix}" if python.environment else f"no environment, {python.prefix}"
    if facts.board.jetson and not python.system_packages:
        fix = f"/usr/bin/python3 -m venv --system-site-packages {python.prefix}"
        if python.environment == "conda":
            fix = "conda deactivate && /usr/bin/python3 -m venv --system-site-packages .venv"
        detail = f"{place} does not see the board's own TensorRT and OpenCV"
        return [*checks, Check("python", "environment", "warn", detail, fix)]
    seen = ", sees the system's packages" if python.environment and python.system_packages else ""
    return [*checks, Check("python", "environment", "pass", place + seen)]


def _numpy(facts: Facts) -> list[Check]:
    version = facts.versions.get("numpy")
    if version is None:
        return [Check("numpy", "version", "fail", "not installed", "pip install 'numpy>=1.24'")]
    checks = [Check("numpy", "version", "pass", version)]
    if _numbers(version) < _OLDEST_NUMPY:
        checks = [Check("numpy", "version", "warn", f"{version}: too old", "pip install --upgrade 'numpy>=1.24'")]
    broken = [name for name, found in facts.imports.items() if found.numpy_abi]
    if not broken:
        return [*checks, Check("numpy", "modules built for it", "pass", "all that are installed")]
    detail = f"{', '.join(broken)} cannot be used with numpy {version}: built for another numpy"
    # Modules from apt and NVIDIA's wheels cannot be rebuilt here; numpy is what gives way.
    fix = (
        "pip install 'numpy>=1.26,<2'" if _numbers(version) >= (2,) else f"pip install --upgrade {_pip(facts, broken)}"
    )
    return [*checks, Check("numpy", "modules built for it", "fail", detail, fix)]


def _opencv(facts: Facts) -> list[Check]:
    opencv = facts.imports.get("cv2", _ABSENT)
    jetson = facts.board.jetson
    if not opencv.works:
        detail = "not installed" if opencv.absent else str(opencv.error)
        return [Check("opencv", "import", "fail", detail, _opencv_fix(opencv, jetson))]
    windows = opencv.details.get("gui")
    origin = opencv.origin or opencv.file or "unknown origin"
    features = f"{'windows by ' + str(windows) if windows else 'no windows (display:// needs opencv-python)'}"
    checks = [Check("opencv", "import", "pass", f"{opencv.version} from {origin}, {features}")]
    if opencv.rivals:
        names = " ".join([str(opencv.origin), *opencv.rivals])
        fix = f"pip uninstall -y {names} && pip install {opencv.origin}"
        checks.append(Check("opencv", "one package only", "warn", f"these overwrite each other: {names}", fix))
    if jetson and not opencv.details.get("gstreamer"):
        shadow = opencv.origin not in (None, "apt")
        fix = f"{f'pip uninstall -y {opencv.origin} && ' if shadow else ''}sudo apt install python3-opencv"
        detail = "missing: this OpenCV cannot open CSI cameras"
        checks.append(Check("opencv", "GStreamer", "warn", detail, f"{fix} && pip install 'numpy>=1.26,<2'"))
    elif jetson:
        checks.append(Check("opencv", "GStreamer", "pass", "built in: CSI cameras can be opened"))
    return checks


def _opencv_fix(opencv: Imported, jetson: bool) -> str:
    error = opencv.error or ""
    if "static TLS" in error:  # a library loaded late; the loader's message names it
        library = error.partition(": ")[2].partition(": ")[0] or "/usr/lib/aarch64-linux-gnu/libgomp.so.1"
        return f"export LD_PRELOAD={library}"
    if "libGL.so" in error:
        return "sudo apt install libgl1"
    if jetson:
        return "sudo apt install --reinstall python3-opencv"
    return (
        "pip install 'trt-pose-app[cpu]'" if opencv.absent else "pip install --force-reinstall opencv-python-headless"
    )


def _engine(facts: Facts) -> list[Check]:
    runtime, cuda = facts.imports.get("onnxruntime", _ABSENT), facts.imports.get("libcuda", _ABSENT)
    gpu = cuda.works
    checks = []
    if not runtime.works:
        detail = "not installed" if runtime.absent else str(runtime.error)
        again = "" if runtime.absent else "--force-reinstall "
        checks.append(Check("engine", "ONNX Runtime", "fail", detail, f"pip install {again}onnxruntime"))
    else:
        providers = [str(name).removesuffix("ExecutionProvider") for name in runtime.details.get("providers", ())]
        detail = f"{runtime.version} with {', '.join(providers) or 'no provider'}"
        idle = (gpu or facts.board.jetson) and not {"CUDA", "Tensorrt"} & set(providers)
        if runtime.rivals:
            names = " ".join([str(runtime.origin), *runtime.rivals])
            fix = f"pip uninstall -y {names} && pip install onnxruntime{'-gpu' if gpu else ''}"
            checks.append(Check("engine", "ONNX Runtime", "warn", f"these overwrite each other: {names}", fix))
        elif idle:
            fix = "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
            if facts.board.jetson:
                fix += f"  (the wheel for JetPack {facts.board.jetpack or 'of this board'})"
            checks.append(Check("engine", "ONNX Runtime", "warn", f"{detail}: the GPU is not used", fix))
        else:
            checks.append(Check("engine", "ONNX Runtime", "pass", detail))
    checks.append(_tensorrt(facts))
    checks.append(_cuda(facts, cuda))
    return checks


def _tensorrt(facts: Facts) -> Check:
    tensorrt, python = facts.imports.get("tensorrt", _ABSENT), facts.interpreter
    if tensorrt.works:
        return Check("engine", "TensorRT", "pass", f"{tensorrt.version} from {tensorrt.origin or tensorrt.file}")
    if not facts.board.jetson:
        detail = "not installed, and not needed on this machine" if tensorrt.absent else str(tensorrt.error)
        return Check("engine", "TensorRT", "pass", detail)
    if not tensorrt.absent:
        fix = "sudo apt install --reinstall tensorrt python3-libnvinfer"
        if "libnvdla_compiler" in str(tensorrt.error):
            # JetPack 7.2 ships that library no more: there only an older TensorRT, of an old container, asks for it.
            new = (facts.board.jetpack or "").startswith("7")
            fix = fix if new else "sudo apt install --reinstall nvidia-l4t-dla-compiler"
        return Check("engine", "TensorRT", "warn", str(tensorrt.error), fix)
    if python.tensorrt_beside and not python.system_packages:
        detail = f"installed at {python.tensorrt_beside[0]}, but this {python.environment} does not look there"
        fix = f"/usr/bin/python3 -m venv --system-site-packages {python.prefix}"
        return Check("engine", "TensorRT", "warn", detail, fix)
    if python.tensorrt_beside:
        detail = f"installed at {python.tensorrt_beside[0]}, for another Python than {python.version}"
        return Check("engine", "TensorRT", "warn", detail, "/usr/bin/python3 -m venv --system-site-packages .venv")
    return Check("engine", "TensorRT", "warn", "not installed", "sudo apt install tensorrt python3-libnvinfer")


def _cuda(facts: Facts, cuda: Imported) -> Check:
    toolkit = f"toolkit {facts.board.cuda_toolkit}" if facts.board.cuda_toolkit else None
    if cuda.works:
        gpu, driver = cuda.details.get("gpu", "a GPU"), facts.board.nvidia_driver
        detail = _listed(str(gpu), f"CUDA {cuda.version}", f"driver {driver}" if driver else None, toolkit)
        return Check("engine", "CUDA", "pass", detail)
    if facts.board.jetson:
        detail = "the driver library is missing: in a container?" if cuda.absent else str(cuda.error)
        return Check("engine", "CUDA", "warn", detail, "docker run --runtime nvidia ...")
    if cuda.absent and facts.board.nvidia_driver is None:
        return Check("engine", "CUDA", "pass", "no NVIDIA GPU: networks run on the processor")
    return Check("engine", "CUDA", "warn", f"an NVIDIA driver, but {cuda.error}", "nvidia-smi")


def _native(facts: Facts) -> list[Check]:
    parser = facts.imports.get("trt_pose_app._paf", _ABSENT)
    if parser.works:
        return [Check("parser", "native", "pass", "loaded")]
    detail = "not built: the slower numpy parser takes over" if parser.absent else str(parser.error)
    if facts.versions.get("trt-pose-app") is None:  # a checkout, used in place
        fix = "python setup.py build_ext --inplace"
    else:
        fix = (
            "sudo apt install g++ python3-dev && pip install --force-reinstall --no-deps --no-binary :all: trt-pose-app"
        )
    return [Check("parser", "native", "warn", detail, fix)]


def _video(facts: Facts) -> list[Check]:
    av = facts.imports.get("av", _ABSENT)
    if not av.works:
        detail = "PyAV is not installed: no video files, no RTSP" if av.absent else f"PyAV: {av.error}"
        fix = "pip install 'trt-pose-app[video]'" if av.absent else "pip install --force-reinstall av"
        return [Check("video", "PyAV", "warn", detail, fix)]
    if not av.details.get("libx264"):
        fix = "pip install --force-reinstall --only-binary av av"
        return [Check("video", "PyAV", "warn", f"{av.version} without libx264: no .mp4 can be written", fix)]
    return [Check("video", "PyAV", "pass", f"{av.version} with libx264")]


def _resources(facts: Facts) -> list[Check]:
    memory, jetson = facts.memory, facts.board.jetson
    checks = []
    if memory.total_mib is not None and memory.available_mib is not None:
        detail = f"{memory.available_mib} MiB of {memory.total_mib} MiB available"
        if memory.available_mib < _LOW_MEMORY_MIB:
            fix = "sudo systemctl isolate multi-user.target" if jetson else "ps aux --sort=-rss | head"
            checks.append(Check("machine", "memory", "warn", f"{detail}: little", fix))
        else:
            checks.append(Check("machine", "memory", "pass", detail))
        if jetson and memory.total_mib <= _SMALL_BOARD_MIB and memory.swap_mib == 0:
            fix = "sudo fallocate -l 4G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile"
            detail = "none: building a TensorRT engine may run out of memory"
            checks.append(Check("machine", "swap", "warn", detail, f"{fix} && sudo swapon /swapfile"))
        elif memory.swap_mib is not None:
            checks.append(Check("machine", "swap", "pass", f"{memory.swap_mib} MiB"))
    if memory.disk_free_mib is not None:
        free = memory.disk_free_mib
        status: Status = "fail" if free < _NO_DISK_MIB else "warn" if free < _LOW_DISK_MIB else "pass"
        fix = "" if status == "pass" else "sudo apt clean && sudo journalctl --vacuum-size=100M"
        checks.append(Check("machine", "disk", status, f"{free} MiB free for models", fix))
    return checks


def _speed(facts: Facts) -> list[Check]:
    power = facts.power
    checks = []
    if power.mode_name is not None:
        fastest = power.fastest_mode
        if fastest is not None and power.mode != fastest:
            detail = f"{power.mode_name}; {power.modes[fastest]} is the fastest"
            checks.append(Check("machine", "power mode", "warn", detail, f"sudo nvpmodel -m {fastest}"))
        else:
            checks.append(Check("machine", "power mode", "pass", power.mode_name))
    if facts.board.jetson and power.clocks_locked is not None:
        held = "held at their highest" if power.clocks_locked else "follow the load; `sudo jetson_clocks` holds them"
        checks.append(Check("machine", "clocks", "pass", held))
    if power.throttling:
        cooler = "tegrastats  (watch it while you improve cooling or the power supply)"
        fix = cooler if facts.board.jetson else "sensors  (watch it while you improve cooling)"
        checks.append(Check("machine", "throttling", "warn", f"slowed down by {', '.join(power.throttling)}", fix))
    elif power.temperatures_c:
        checks.append(_heat(power.temperatures_c, facts.board.jetson))
    return checks


def _heat(temperatures_c: Mapping[str, float], jetson: bool) -> Check:
    zone, hottest = max(temperatures_c.items(), key=lambda pair: pair[1])
    detail = f"{hottest:.0f} degrees C at most ({zone})"
    if hottest >= _HOT_C:
        return Check("machine", "heat", "warn", detail, "tegrastats" if jetson else "sensors")
    return Check("machine", "heat", "pass", f"{detail}, not throttled")


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 3.12.1rc1 -> (3, 12)."""
    numbers = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _pip(facts: Facts, modules: list[str]) -> str:
    return " ".join(facts.imports[name].origin or name for name in modules)


def _cores(count: int | None) -> str | None:
    return f"{count} cores" if count else None


def _listed(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part) or "unknown"
