# `make demo` and `make test` are all a newcomer needs; each builds .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A Jetson brings its own TensorRT and OpenCV as system packages.
VENV_FLAGS := $(if $(wildcard /etc/nv_tegra_release),--system-site-packages)
SOURCES := setup.py pyproject.toml $(wildcard trt_pose_app/native/*)
