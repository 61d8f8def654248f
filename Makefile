# The two commands of the README are `make demo` and `make test`; each does all its own set-up.
# uv is used where it is installed; otherwise a plain venv and pip install from the same hash-pinned lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3
LOCK   := deploy/locks/dev.txt
UV     := $(shell command -v uv 2>/dev/null)
STAMP  := $(VENV)/.installed

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

install: $(STAMP) ## Make .venv with everything in it, from the committed lock

$(STAMP): $(LOCK) pyproject.toml
ifeq ($(UV),)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r $(LOCK)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
else
	[ -x $(BIN)/python ] || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
endif
	@touch $@

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --upgrade --custom-compile-command "make lock" pyproject.toml --extra dev -o $(LOCK)
	uv pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" pyproject.toml -c $(LOCK) -o deploy/locks/serve.txt
	echo 'hatchling>=1.27' | uv pip compile --quiet - --universal --python-version 3.11 --generate-hashes -c $(LOCK) --custom-compile-command "make lock" -o deploy/docker/build.txt

demo: install ## Stream real data through a real broker and watch it learn
	$(BIN)/weir demo

lint: install ## Style, types, and the arrows between the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two minutes the first time, else three seconds. Tests that run side by side would each compile them.
kernels: install ## Compile the kernels of the workers
	$(BIN)/python -m streams.warmup

test-unit: kernels ## What needs no broker, in under two minutes
	$(BIN)/pytest tests/unit tests/property -m "not slow and not long" -n auto

test-long: install ## What takes longer still, and is run by hand: a hundred thousand texts for the scanner, 20 rounds of faults
	$(BIN)/pytest tests/unit tests/property tests/system -m long -s

test-slow: install ## What takes minutes: large tables, patterns of ids, rates of false alarms
	$(BIN)/pytest tests/unit tests/property -m slow -n auto

test-train: ## What needs PyTorch, in a .venv-train with the extra; some 5 GB the first time
	[ -x .venv-train/bin/pytest ] || { $(PYTHON) -m venv .venv-train && .venv-train/bin/pip install --quiet --editable '.[train,dev]'; }
	.venv-train/bin/pytest tests/unit tests/property -m train

# They wait more than they compute: two at a time, each with brokers of its own.
test-integration: kernels ## What needs a broker: one is started from Maven artifacts, or by docker
	$(BIN)/pytest tests/integration tests/system -m "not long" -n 2 --dist loadfile

test: install ## All of it
	$(MAKE) -j 2 lint kernels
	$(MAKE) test-unit
	$(MAKE) test-slow
	$(MAKE) test-integration

format: install ## Rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what the build made; broker data included
	rm -rf $(VENV) .venv-train .weir .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help install lock demo lint kernels test-unit test-long test-slow test-train test-integration test format clean
