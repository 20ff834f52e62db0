# One command for everything: plain `make` checks and tests. Needs Python 3.11 or newer and make, nothing else.
# Recipes are POSIX sh and work with GNU make from 3.81 on.

PYTHON ?= python3
# Test processes; `auto` is one for each core, at most MAX_WORKERS.
WORKERS ?= auto
MAX_WORKERS ?= 8
PYTEST_ARGS ?=
# `make lock LOCK_FLAGS=--upgrade` takes the newest versions; without it, pins that still fit stay.
LOCK_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
UV := uv==0.13.9
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses=$(MAX_WORKERS)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all help dev demo format-check format lint types floors unit test soak bench docs lock clean

all: format-check lint types floors test ## everything a change must pass (the default)

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

dev: $(INSTALLED) ## the virtual environment in .venv, from requirements.lock
	@:

demo: $(INSTALLED) ## install, then show closingbell at work on recorded prices
	@$(BIN)/closingbell demo

format-check: $(INSTALLED) ## is the code formatted?
	@echo "format"
	@$(BIN)/python -m ruff format --quiet --check . || { $(BIN)/python -m ruff format --check . | tail -n 20; echo "Run: make format" >&2; exit 1; }

format: $(INSTALLED) ## format the code, and repair what the linter can
	@$(BIN)/python -m ruff check --quiet --fix-only .
	@$(BIN)/python -m ruff format .

lint: $(INSTALLED) ## ruff
	@echo "lint"
	@$(BIN)/python -m ruff check --quiet .

types: $(INSTALLED) ## mypy, strict
	@echo "types"
	@$(BIN)/python -m mypy --no-error-summary

floors: $(INSTALLED) ## who may import whom
	@echo "floors"
	@$(BIN)/python tests/floors.py

unit: $(INSTALLED) ## the quick tests
	@echo "unit tests"
	@$(PYTEST) tests/unit $(PYTEST_ARGS)

test: $(INSTALLED) ## every test; those of a database server that does not answer are skipped
	@echo "tests"
	@$(PYTEST) $(PYTEST_ARGS)

soak: $(INSTALLED) ## the long loops
	@$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

bench: $(INSTALLED) ## the benchmarks
	@$(BIN)/python -m benchmarks

docs: $(INSTALLED) ## the documentation as a site, in build/docs
	@$(BIN)/python -m sphinx -W -q -b html docs build/docs && echo "build/docs/index.html"

lock: ## write requirements.lock anew from pyproject.toml (needs the network; LOCK_FLAGS=--upgrade for the newest)
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check "$(UV)"
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev \
		--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
		$(LOCK_FLAGS) --output-file requirements.lock pyproject.toml
	@rm -rf build/lock
	@echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

clean: ## remove what was built or cached; the data in instance/ stays
	@rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment, in three steps that each run only when what they depend on has changed.

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
		echo "closingbell needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Name one: make $(or $(MAKECMDGOALS),dev) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "closingbell needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Name another: make $(or $(MAKECMDGOALS),dev) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" -V 2>&1)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it is in the package python3-venv." >&2; exit 1; }

# The lock is complete, so nothing is resolved (--no-deps), and modules are compiled on all cores: half the time.
$(LOCKED): requirements.lock | $(BIN)/python
	@echo "Installing $$(grep -c '==' requirements.lock) locked packages"
	@$(PIP) --no-deps --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
