# `make` lists what can be made.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo test check bench lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'

demo: $(INSTALLED)  ## a small market from simulation to rescoring (SERVE=1 keeps the service running)
	@SERVE=$(SERVE) sh scripts/demo.sh

test: check  ## the whole suite on two cores, after the checks
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(INSTALLED)  ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(INSTALLED)  ## slow campaigns and figures; ONLY=models runs one part
	@$(BIN)/python -m tests.bench $(ONLY)

lock: $(INSTALLED)  ## the hash lock anew, from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --extra notebooks --extra postgres --extra spark --extra tune --extra dev pyproject.toml -o requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

clean:  ## what was made here, data sets of your own excepted
	@rm -rf $(VENV) .demo .leadlift .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
