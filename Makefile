# `make demo` and `make test` need only Python 3.11 or newer, make and a package registry.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
EXTRAS := .venv/.installed-full
SPHINX := .venv/.installed-docs
IMG2DATASET := .venv-img2dataset/.installed
DEMO := demo

.PHONY: demo docs test test-full programs check install dist peers clean
.DELETE_ON_ERROR:

install: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "faceae needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(INSTALLED)
	$(BIN)/pytest

# Tests of the optional packages. Installs them (setup.cfg: full) with an S3 server and `datasets`,
# and img2dataset in an environment of its own, because it needs older packages. The page of
# `faceae export web` is tested with Chromium, its driver and npm, the server's metrics with
# Prometheus, installed if they are missing.
test-full: $(EXTRAS) $(IMG2DATASET) programs
	$(BIN)/pytest tests/full tests/shards/images/test_heic.py tests/export/test_readme.py \
	  tests/faceae/test_movies.py

# The wheel and the source distribution, in dist/, checked: metadata, README's rendering, files.
dist: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,release]'
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

programs:
	@missing=; \
	command -v chromium >/dev/null || missing="chromium"; \
	command -v chromedriver >/dev/null || missing="$$missing chromium-driver"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	command -v promtool >/dev/null || missing="$$missing prometheus"; \
	test -z "$$missing" || { \
	  echo "installing Debian's $$missing (as root; elsewhere install chromium, chromedriver, npm, Prometheus)"; \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing; }

$(EXTRAS): $(INSTALLED)
	@echo "installing the extras, datasets and moto's server into .venv (see setup.cfg: full)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,full]'
	touch $@

$(IMG2DATASET): tests/full/img2dataset.txt
	@echo "installing img2dataset into .venv-img2dataset (see $<)"
	rm -rf .venv-img2dataset
	$(PYTHON) -m venv .venv-img2dataset
	.venv-img2dataset/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

demo: $(INSTALLED)
	rm -rf $(DEMO)
	$(BIN)/faceae doctor
	$(BIN)/faceae synth $(DEMO)/faces --count 3600 --seed 1
	$(BIN)/faceae shard $(DEMO)/faces $(DEMO)/packed --crop 178 --size 64
	$(BIN)/faceae train $(DEMO)/packed --run $(DEMO)/run --model adversarial \
	  --latent-size 128 --width 32 --batch-size 32 --epochs 12
	$(BIN)/faceae fit $(DEMO)/run $(DEMO)/packed --prior gmm
	$(BIN)/faceae export onnx $(DEMO)/run $(DEMO)/generator.onnx --part generator
	$(BIN)/faceae generate $(DEMO)/generator.onnx $(DEMO)/faces64.png -n 64 --seed 1 \
	  --truncation 1.2
	$(BIN)/faceae morph $(DEMO)/run $(DEMO)/faces/img_align_celeba/000001.jpg \
	  $(DEMO)/faces/img_align_celeba/003600.jpg $(DEMO)/morph.gif --frames 32
	@echo
	@echo "Where to look, in $(DEMO)/:"
	@echo "  faces/img_align_celeba/   the drawn faces, in CelebA's layout"
	@echo "  packed/                   the packed dataset"
	@echo "  run/grids/                held-out faces over their reconstructions, one grid for each epoch"
	@echo "  faces64.png               64 new faces, made by the exported generator.onnx"
	@echo "  morph.gif                 one face becoming another"

# The documentation, as web pages. The notebook is executed. A warning is an error.
docs: $(SPHINX)
	$(BIN)/sphinx-build -n -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

$(SPHINX): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $@

# Installs what benchmarks/ compares with. Pins of streaming and NNCF exclude our NumPy, hence
# --no-deps. pip builds FFCV, which needs Debian's libopencv-dev, libturbojpeg0-dev, pkg-config and a
# compiler. Benchmarks go on without a peer, and name it.
peers: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
	  datasets litdata litserve openvino spdl psutil matplotlib brotli python-snappy tqdm transformers \
	  xxhash zstd jsonschema scikit-learn
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  mosaicml-streaming catalogue nncf natsort pydot tabulate
	@pkg-config --exists opencv4 libturbojpeg || { echo "skipping FFCV: its Debian packages are missing"; exit 0; }; \
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  ffcv numba llvmlite fastargs assertpy imgcat terminaltables

clean:
	rm -rf .venv .venv-img2dataset $(DEMO) build dist docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache
