# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
# Processes that share the tests: one more than two cores, since those of pages wait for the browser.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Packages taken without looking at their hashes, as in UNCHECKED="torch torchvision" (SECURITY.md).
UNCHECKED ?=
# Each package is named with its hashes, so none is looked for; and nothing is built with what pip
# would fetch by itself.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
REFUSED := { echo "Not installed: see above. Where a hash does not match, the index of this machine has another file than PyPI: if you trust it, name the package with: make UNCHECKED=NAME ... (SECURITY.md)" >&2; exit 1; }

# What a processor with AVX2 and nothing beyond it computes, in one thread: sums in another order.
PLAIN := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# The tests of what is computed: the join, rates and intervals, embeddings, where a model looks.
COMPUTED := tests/indexes tests/mining/embeddings/test_embeddings.py tests/mining/saliency/test_explanation.py \
	tests/mining/commands/test_explain.py tests/mining/scores/test_score_pairs.py tests/mining/models \
	tests/pairsets/evaluation/test_annotators.py tests/pairsets/evaluation/test_rates.py

# Damaged files that each reader is given by `make fuzz`, and the seed of how they are damaged.
FUZZ_INPUTS ?= 2000
FUZZ_SEED ?= 0

.PHONY: demo docs notebooks screenshots test test-avx2 fuzz lint types contracts browser lock audit clean

$(READY): requirements.lock requirements.build.lock requirements.cuda.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lookalikes needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (PyTorch among them: this takes a while once)"
	$(INSTALL) --require-hashes -r requirements.build.lock || $(REFUSED)
ifneq ($(strip $(UNCHECKED)),)
	$(INSTALL) $(foreach name,$(UNCHECKED),$$(sed -n 's/^\($(name)==[^ ]*\).*/\1/p' requirements.lock requirements.cuda.lock))
endif
	# A build of PyTorch that lies on this machine (PIP_FIND_LINKS), if its hash is listed, goes first.
	sed -n '/^torch==/,/[0-9a-f]$$/p' requirements.lock > $(VENV)/torch.lock
	-$(INSTALL) --no-index --require-hashes -r $(VENV)/torch.lock 2>/dev/null
	$(INSTALL) --require-hashes -r requirements.lock || $(REFUSED)
	! grep -q '^Requires-Dist: nvidia-' $(VENV)/lib/python*/site-packages/torch-*.dist-info/METADATA \
		|| $(INSTALL) --require-hashes -r requirements.cuda.lock || $(REFUSED)
	$(INSTALL) --editable .
	$(BIN)/python -m pip check --disable-pip-version-check \
		|| { echo "What is in $(VENV) does not go together: remove it (make clean), then again" >&2; exit 1; }
	touch $@

demo: $(READY)
	$(BIN)/lookalikes sample demo/sample --overwrite
	$(BIN)/lookalikes build demo/sample/faces \
		--reference timm:tf_efficientnet_lite0@demo/sample/tf_efficientnet_lite0 \
		--model animecv:demo/sample/drawn_faces --model pixels --pairs 1000 --out demo/run --overwrite

# The pages, and a reference of all public names, in build/site; a link that leads nowhere stops it.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --config-file docs/site/mkdocs.yml

# The notebooks with what they show on the demo, small enough to be kept.
notebooks: demo
	PYTHONPATH=tests $(BIN)/python -m support.notebooks

# The pictures of the docs, of what the demo shows: needs Chromium (make browser).
screenshots: demo
	PYTHONPATH=tests $(BIN)/python -m support.screenshots

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

# Beyond what `make test` does of the same kind; an hour or more.
fuzz: $(READY)
	$(BIN)/python tests/fuzz/damaging.py --inputs $(FUZZ_INPUTS) --seed $(FUZZ_SEED)

# The browsers that the pages are tested in: Debian's, where this machine lets us install them.
browser:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
		&& apt-get update -qq && apt-get install -y -qq chromium >/dev/null; then :; \
	else echo "NOT TESTED: the pages, in a browser: there is no Chromium, and it cannot be installed (as root: apt-get install chromium)" >&2; fi
	@if command -v firefox-esr || command -v firefox; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
		&& apt-get update -qq && apt-get install -y -qq firefox-esr >/dev/null; then :; \
	else echo "NOT TESTED: the pages, in Firefox: there is none, and it cannot be installed (as root: apt-get install firefox-esr)" >&2; fi

# Pins what is installed, on every system, with the hashes of its files (.ci/lock.py). Versions that
# fit stay; UPGRADE=--upgrade raises them.
lock:
	$(PYTHON) -m venv build/locking
	build/locking/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	build/locking/bin/python .ci/lock.py $(UPGRADE)

# Known flaws of what is pinned, as PyPI and OSV tell them: asks the internet, so no part of CI.
audit:
	$(PYTHON) -m venv build/auditing
	build/auditing/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	build/auditing/bin/python .ci/audit.py requirements.lock requirements.build.lock requirements.cuda.lock

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
