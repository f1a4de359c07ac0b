# Each target sets up what it needs: a virtual environment with the project and its exact pins.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc)
IN_PARALLEL = PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest -n $(CORES) --dist loadfile
.DEFAULT_GOAL := help
.PHONY: help setup mini mini-test workflow-test test fuzz lint bench slurm-test clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed  ## a virtual environment with everything at its pinned version

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps compressai einops  # docs/compressai.md
	touch $@

mini: setup  ## the whole pipeline on a laptop, about 8 minutes on 2 cores
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --profile workflow/profiles/local --cores $(CORES) all

test: setup  ## every test of the code itself, about 8 minutes on 2 cores
	$(IN_PARALLEL) -m "not slurm and not mini and not workflow"

workflow-test: setup  ## the scale tiny in scratch projects: edits, interruptions, a foreign codec, record and restore
	$(IN_PARALLEL) -m workflow

mini-test: mini  ## what the results of make mini must show
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m mini

fuzz: setup  ## 20 000 damaged files of each kind and 500 of every other input; arguments of python -m tests.fuzz in FUZZ
	$(BIN)/python -m tests.fuzz $(FUZZ)

lint: setup  ## style, types and layers of the Python code, and style of the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -q tests/workflow/test_lint.py

slurm-test: setup  ## the tests on a real SLURM cluster, installed and started from Debian's packages (as root)
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m slurm

bench: setup  ## measure speed and memory, about six minutes; table in benchmarks/results
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks

clean:  ## remove what make mini made; data and other scales stay
	rm -rf results/mini results/tiny
