# What everybody runs, continuous integration included.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help repro test test-long check docs dist image

PYTHON ?= python3
# Test processes side by side; each takes one core.
N_TESTERS ?= 2

BIN := .venv/bin
# Tests write thousands of small files, synced each and soon deleted: in memory, where it has room for them.
TEST_FILES := $(shell [ "$$(df --output=avail --block-size=1G /dev/shm 2>/dev/null | tail -1)" -ge 4 ] 2>/dev/null && echo PYTEST_DEBUG_TEMPROOT=/dev/shm)
# Stages and tests find the commands of this environment first.
IN_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
READY := .venv/ready

# No tool sends usage data.
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:
	@echo "make repro      run every stage whose inputs changed"
	@echo "make test       run the tests (make test-long: those that take minutes)"
	@echo "make check      check style, types and the imports between packages"
	@echo "make docs       build the documents as a site: site/index.html"
	@echo "make dist       build the wheel and the sdist in dist/"
	@echo "make image      build the image of the Dockerfile with buildah, and run a small search in it"
	@echo "Each sets up .venv first, once; make image needs none."

repro: $(READY)
	@$(IN_VENV) dvc repro
	@echo
	@echo "Results:  results/report/report.html"
	@echo "Runs:     .venv/bin/finetune-alf ui   (MLflow, in the browser)"

test: $(READY)
	@$(IN_VENV) $(TEST_FILES) HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python -m pytest -q -n $(N_TESTERS) --dist loadfile --no-loadscope-reorder

test-long: $(READY)
	@$(IN_VENV) $(TEST_FILES) HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python -m pytest -q -m long -n $(N_TESTERS) --dist loadfile --no-loadscope-reorder

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src
	@$(BIN)/lint-imports --no-logo

docs: $(READY)
	@$(IN_VENV) NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "Documents: site/index.html"

dist: $(READY)
	@rm -rf dist
	@$(BIN)/hatchling build

image:
	@.ci/image

# Set up again when the lock or pyproject.toml has changed. The stamp is written last, so a setup that was stopped is
# finished the next time.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON): must be Python 3.11 or newer, but got $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	@echo "setting up .venv (once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --requirement requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
