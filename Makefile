# `make demo` and `make test` are all a newcomer needs; each builds .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A Jetson brings its own TensorRT and OpenCV as system packages.
JETSON := $(wildcard /etc/nv_tegra_release)
, := ,
RUNTIME := $(if $(JETSON),video,cpu$(,)video)
TORCH := .venv-train
NATIVE := $(wildcard trt_pose_app/native/*)

.PHONY: demo test test-torch lint test-slow test-aarch64 convert-matrix clean

demo: $(VENV)/demo.stamp
	$(BIN)/python scripts/demo.py

test: $(VENV)/dev.stamp lint
	$(BIN)/pytest -m "not slow" --cov --cov-report=term

# What needs PyTorch (5 GB): networks, training and the conversion of checkpoints.
test-torch: $(TORCH)/dev.stamp
	$(TORCH)/bin/pytest -m "not slow" tests/networks tests/training tests/converters tests/compat \
	    tests/cli/test_train.py tests/cli/test_convert.py

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-slow: $(VENV)/dev.stamp
	$(BIN)/pytest -m slow

# Every network in every precision and input: needs the folder ../shared and the extra `convert`; takes an hour.
convert-matrix: $(VENV)/dev.stamp
	$(BIN)/pip install --quiet -e ".[convert,eval]"
	$(BIN)/python scripts/convert_matrix.py ../shared --annotations ../shared/images/coco_train/person_keypoints.json

test-aarch64:
	$(MAKE) -C tests/native aarch64

clean:
	rm -rf $(VENV) $(TORCH) build dist demo *.egg-info trt_pose_app/*.so

$(VENV)/bin/python:
	$(PYTHON) -m venv $(if $(JETSON),--system-site-packages) $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(TORCH)/dev.stamp: setup.py $(NATIVE)
	$(PYTHON) -m venv $(if $(JETSON),--system-site-packages) $(TORCH)
	$(TORCH)/bin/pip install --quiet --upgrade pip
	$(TORCH)/bin/pip install --quiet -e ".[dev,train,convert,tensorboard]"
	touch $@

$(VENV)/demo.stamp: $(VENV)/bin/python setup.py $(NATIVE)
	$(BIN)/pip install --quiet -e ".[$(RUNTIME)]"
	touch $@

$(VENV)/dev.stamp: $(VENV)/bin/python setup.py $(NATIVE)
	$(BIN)/pip install --quiet -e ".[dev]"
	# The window of display:// needs the wheel with a GUI, which cannot stand beside the headless one.
	$(BIN)/pip install --quiet --upgrade --no-deps --target $(VENV)/desktop opencv-python
	touch $@ $(VENV)/demo.stamp
