# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
# Processes that share the tests: one more than two cores, since those of pages wait for the browser.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What a processor with AVX2 and nothing beyond it computes, in one thread: sums in another order.
PLAIN := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# The tests of what is computed: the join, rates and intervals, embeddings, where a model looks.
COMPUTED := tests/indexes tests/mining/test_embeddings.py tests/mining/test_explain.py \
	tests/mining/test_explain_step.py tests/mining/test_scoring.py tests/mining/models \
	tests/pairsets/test_annotators.py tests/pairsets/test_rates.py

.PHONY: demo test test-avx2 lint types contracts browser lock clean

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lookalikes needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (PyTorch among them: this takes a while once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(READY)
	$(BIN)/lookalikes sample demo/sample --overwrite
	$(BIN)/lookalikes build demo/sample/faces \
		--reference timm:tf_efficientnet_lite0@demo/sample/tf_efficientnet_lite0 \
		--model pixels --pairs 1000 --out demo/run --overwrite

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

test: lint types contracts
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-avx2: $(READY)
	$(PLAIN) $(BIN)/python -m pytest -n $(WORKERS) $(COMPUTED)

# The browser that the pages are tested in: Debian's, where this machine lets us install it.
browser:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
		&& apt-get update -qq && apt-get install -y -qq chromium >/dev/null; then :; \
	else echo "NOT TESTED: the pages, in a browser: there is no Chromium, and it cannot be installed (as root: apt-get install chromium)" >&2; fi

# Pins what a fresh environment resolves to. The local tag of a CPU build of PyTorch is left out,
# so that the same line finds the build that fits each machine.
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "torch==2.13.0" "torchvision==0.28.0"
	$(BIN)/python -m pip install --quiet ".[cpu,huggingface,onnx,parquet,review,sample,suspects,zstd,dev]"
	$(BIN)/python -m pip freeze --exclude lookalikes | sed 's/+cpu$$//' > requirements.lock
	rm -f $(READY)

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
