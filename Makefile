# make demo                                         the whole path on toy_streets
# make demo DATA=camvid DATA_DIR=../shared/camvid   the same on real images
# make test                                         the tests, of the built and installed wheel
# make lint                                         format, lint and types
# make test-torch                                   those of Keras on PyTorch
# make docs                                         the documentation, in build/site
# make notebook                                     runs examples/quickstart.ipynb
# make images                                       Docker images for CPUs and GPUs

PYTHON ?= python3.11
VENV ?= .venv
TORCH_VENV ?= .venv-torch
DOCS_VENV ?= .venv-docs
DATA ?= toy_streets
DATA_DIR ?=
OUT ?= runs/demo_$(DATA)

BIN := $(VENV)/bin
SIZE_toy_streets := 96x160
SIZE_camvid := 360x480
# The recipes are toy_streets'; other data get a shorter schedule and larger crops.
SEARCH_camvid := --epochs=1 --crop_size=128x160 --scale_min=0.4 --scale_max=0.8
FINETUNE_camvid := --epochs=6 --crop_size=176x240 --scale_min=0.5 --scale_max=1.0 --validate_every=3
TASK := --dataset=$(DATA) --input_size=$(SIZE_$(DATA))
INPUT := $(TASK) --data_dir="$(DATA_DIR)"

.SILENT:
.PHONY: setup demo lint wheel test test-torch docs notebook images clean
.ONESHELL:
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	interpreter=$$(command -v $(PYTHON) || command -v python3)
	$$interpreter -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed; name it with PYTHON=")'
	$$interpreter -m venv $(VENV)
	echo "Installing the package and what it needs into $(VENV) ..."
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/lint: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lint]'
	touch $@

lint: $(VENV)/lint
	$(BIN)/ruff format --check --quiet . || { echo "Not formatted: run '$(BIN)/ruff format .'"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# The wheel is what is tested, from another folder than this one. Its environment reads
# what it depends on where `setup` has put it. A worker more than CPUs, for some wait for
# processes that they have started.
WHEEL_VENV := build/venv
PIP := PYTHONPATH= $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST := -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses=4 --max-worker-restart=0 --dist=loadfile --no-loadscope-reorder --session-timeout=4200 -rs

wheel: setup
	rm -rf build
	$(PIP) wheel --no-deps --wheel-dir=build/dist .
	$(BIN)/python -m venv --without-pip $(WHEEL_VENV)
	$(PIP) --python $(WHEEL_VENV)/bin/python install --no-deps build/dist/*.whl
	packages="import sysconfig; print(sysconfig.get_path('purelib'))"
	$(BIN)/python -c "$$packages" > "$$($(WHEEL_VENV)/bin/python -c "$$packages")/dependencies.pth"

test: wheel
	root=$$PWD
	elsewhere=$$(mktemp -d)
	trap "rm -rf '$$elsewhere'" EXIT
	cd "$$elsewhere"
	LGCNET_WHEEL=$$(echo "$$root"/build/dist/*.whl) PYTHONPATH= "$$root/$(WHEEL_VENV)/bin/python" $(PYTEST) \
	  -c "$$root/pyproject.toml" --rootdir="$$root" "$$root/tests"

# No TensorFlow in it: what it tests must do without. 2.13.0 is a build for CPUs.
$(TORCH_VENV)/installed: pyproject.toml constraints.txt
	interpreter=$$(command -v $(PYTHON) || command -v python3)
	$$interpreter -m venv $(TORCH_VENV)
	echo "Installing PyTorch and what its tests need into $(TORCH_VENV) ..."
	$(TORCH_VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt \
	  torch==2.13.0 keras numpy pillow h5py absl-py rich matplotlib tensorboard pytest pytest-timeout pytest-xdist
	touch $@

test-torch: $(TORCH_VENV)/installed
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 PYTHONPATH=. $(TORCH_VENV)/bin/python -m pytest -n auto --maxprocesses=2 -m torch \
	  tests/training/test_torch_steps.py tests/bin/test_torch.py

# Flags and docstrings are read without TensorFlow.
$(DOCS_VENV)/installed: pyproject.toml constraints.txt
	interpreter=$$(command -v $(PYTHON) || command -v python3)
	$$interpreter -m venv $(DOCS_VENV)
	echo "Installing what the documentation needs into $(DOCS_VENV) ..."
	packages=$$($$interpreter -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	$(DOCS_VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt \
	  $$packages absl-py numpy pillow tensorboard
	touch $@

# The notice that is turned off is of another program, not of these pages.
docs: $(DOCS_VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict --quiet
	echo "The documentation is in build/site/index.html"

$(VENV)/notebook: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[notebook]'
	touch $@

# What a bar has drawn over is not kept.
RUN_NOTEBOOK := import nbclient, nbformat; \
  book = nbformat.read('examples/quickstart.ipynb', 4); \
  nbclient.execute(book, coalesce_streams=True); \
  nbformat.write(book, 'runs/quickstart.ipynb')

notebook: $(VENV)/notebook
	mkdir -p runs
	$(BIN)/python -c "$(RUN_NOTEBOOK)"
	echo "The notebook with its results is runs/quickstart.ipynb"

images:
	docker build -f docker/Dockerfile -t lgcnet .
	docker build -f docker/Dockerfile.gpu -t lgcnet-gpu .

demo: setup
	rm -rf $(OUT)
	echo "== 1/8 latency table of this machine"
	$(BIN)/lgcnet-measure-latency $(TASK) --repeats=15 --calibration_networks=12 --output_dir=$(OUT)/latency
	echo "== 2/8 search"
	$(BIN)/lgcnet-search --flagfile=search_toy $(INPUT) $(SEARCH_$(DATA)) \
	  --latency_table=$(OUT)/latency/latency_table.json --output_dir=$(OUT)/search
	echo "== 3/8 finetune"
	$(BIN)/lgcnet-finetune --flagfile=finetune_toy $(INPUT) $(FINETUNE_$(DATA)) \
	  --model=$(OUT)/search/genotype.json --output_dir=$(OUT)/finetune
	echo "== 4/8 evaluate"
	$(BIN)/lgcnet-evaluate $(INPUT) --split=val --model=$(OUT)/finetune/model.keras \
	  --latency_table=$(OUT)/latency/latency_table.json --output_dir=$(OUT)/evaluate
	echo "== 5/8 export"
	$(BIN)/lgcnet-export --dataset=$(DATA) --model=$(OUT)/finetune/model.keras --output_dir=$(OUT)/export
	echo "== 6/8 serve"
	port=$$($(BIN)/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	$(BIN)/lgcnet-serve --model=$(OUT)/export/saved_model --port=$$port &
	server=$$!
	trap "kill $$server 2>/dev/null || true" EXIT
	echo "== 7/8 predict, over gRPC"
	images=$$(ls $(OUT)/evaluate/examples/*_image.png | paste -sd, -)
	$(BIN)/lgcnet-predict --server=127.0.0.1:$$port --wait_s=120 \
	  --images=$$images --output_dir=$(OUT)/predict
	kill $$server
	wait $$server
	echo "== 8/8 pictures"
	for run in latency search finetune evaluate; do $(BIN)/lgcnet-plot --output_dir=$(OUT)/$$run; done
	echo "Reports: $(OUT)/search/report.html $(OUT)/finetune/report.html $(OUT)/evaluate/report.html"

clean:
	rm -rf runs/demo_* build *.egg-info
