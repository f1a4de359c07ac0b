# Each target sets up what it needs: a virtual environment with the project and its exact pins.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc)
SCALE ?= small
IN_PARALLEL = PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest -n $(CORES) --dist loadfile
.DEFAULT_GOAL := help
.PHONY: help setup release mini mini-test workflow-test emulation-test test fuzz lint docs licences bench slurm-test clean

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

test: setup  ## every test of the code itself, about 8 minutes on 2 cores; those of the report page need chromium
	$(IN_PARALLEL) -m "not slurm and not mini and not workflow"

workflow-test: setup  ## the scale tiny in scratch projects: edits, interruptions, a foreign codec, record and restore
	$(IN_PARALLEL) -m workflow

mini-test: mini  ## what the results of make mini must show
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m mini

emulation-test:  ## the golden bitstreams on arm64 and s390x, emulated, with Debian's packages (as root)
	tests/bitstream/emulation.sh

fuzz: setup  ## 20 000 damaged files of each kind and 500 of every other input; arguments of python -m tests.fuzz in FUZZ
	$(BIN)/python -m tests.fuzz $(FUZZ)

lint: setup  ## style, types and layers of the Python code, and style of the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -q tests/workflow/test_lint.py

docs: setup  ## the documentation as pages, build/site/index.html; a broken link is an error
	$(BIN)/mkdocs build

licences: setup  ## THIRD_PARTY.md: the licence of every package of the environment
	@(echo '# Licences of the packages that `make setup` installs'; echo; \
	  echo 'As their own metadata have them; made by `make licences`. None of these packages is part of this repository.'; \
	  echo; \
	  $(BIN)/pip-licenses --packages $$(cut -d= -f1 constraints.txt) --from=mixed --with-system --with-urls \
	    --no-version --format=markdown) > THIRD_PARTY.md

slurm-test: setup  ## the tests on a real SLURM cluster, installed and started from Debian's packages (as root)
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -m slurm

bench: setup  ## measure speed and memory, about six minutes; table in benchmarks/results
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks

release: setup  ## dist/cvqn-SCALE-COMMIT.tar of a recorded scale, SCALE=small; docs/publishing.md
	PATH="$(CURDIR)/$(BIN):$$PATH" cvqn release $(SCALE)

clean:  ## remove what make mini made; data and other scales stay
	rm -rf results/mini results/tiny
