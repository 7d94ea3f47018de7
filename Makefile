# make book    execute the labs and build the book     make lab     JupyterLab on your own copies of the labs
# make test    everything that is checked              make help    the rest
#
# PYTHON       the interpreter that makes the environment        make book PYTHON=python3.12
# VENV         where the environment is                          make book VENV=/scratch/me/hepml
# PIP_FLAGS    options for pip                                   make book PIP_FLAGS="--extra-index-url https://..."

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
WORKERS ?= 2

PY := $(VENV)/bin/python
READY := $(VENV)/ready
TESTS := lint unit labs student pages
# small networks are fastest on one thread each; HEPML_THREADS=4 make book overrides
export HEPML_THREADS ?= 1
export OMP_NUM_THREADS ?= $(HEPML_THREADS)

.DEFAULT_GOAL := help
.PHONY: help setup book lab student test $(TESTS:%=test-%) clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{printf "%-22s %s\n", $$1, $$2}'

# The environment is made once, and again when what it should hold changes. Python compiles what is imported, when it is:
# pip would compile everything, which takes a minute and more.
$(READY): pyproject.toml constraints.txt peers.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "HEPML Labs needs Python 3.11 or newer; '$(PYTHON)' is not."; \
	  echo "Name another one: make book PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --no-compile $(PIP_FLAGS) --constraint constraints.txt --editable '.[lab,book,generate,dev]'
	$(PY) -m pip install --quiet --no-compile $(PIP_FLAGS) --no-deps --requirement peers.txt
	@$(PY) -W ignore -m compileall -q $(VENV)/lib/python3*/site-packages/madminer  # else its warnings stand in a lab
	@touch $@

setup: $(READY) ## make the Python environment (the other targets do it by themselves)

book: $(READY) ## execute the labs and pages that changed and build the book
	$(PY) -m hepml_labs.cli book --workers $(WORKERS)

lab: $(READY) ## open JupyterLab on your own copies of the labs (my_labs/, never overwritten)
	$(PY) -m hepml_labs.cli lab

student: $(READY) ## write the student versions of the labs to _labs/student
	$(PY) -m hepml_labs.cli student --output _labs/student --force

test: $(READY) ## run all checks, one after the other, with their times
	@for step in $(TESTS); do \
	  start=$$(date +%s); printf '\n==== %s\n' "$$step"; \
	  $(MAKE) --no-print-directory test-$$step || { echo "==== $$step FAILED"; exit 1; }; \
	  echo "==== $$step: $$(( $$(date +%s) - start )) s"; \
	done

test-lint: $(READY) ## style and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

test-unit: $(READY) ## unit tests, doctests and the rules for notebooks
	$(PY) -m pytest -q -n $(WORKERS) --dist loadfile --ignore tests/book/test_pages.py

test-labs: $(READY) ## every lab with its solutions and every page, under nbmake (skipped where nothing changed since it last ran)
	$(PY) -m hepml_labs.cli book --workers $(WORKERS) --no-build

test-student: student ## every student version with all blanks empty, under nbmake
	HEPML_SCALE=smoke HEPML_PROGRESS=0 HEPML_HOME=$(CURDIR)/_labs/student/home \
	  $(PY) -m pytest -q -o addopts= --nbmake --nbmake-timeout=120 -n $(WORKERS) --dist worksteal \
	  -p hepml_labs.warm_kernels _labs/student

test-pages: book ## the book without a warning, then the built pages
	$(PY) -m pytest -q -n $(WORKERS) --dist worksteal tests/book/test_pages.py

clean: ## remove what was built (the environment and my_labs/ stay)
	rm -rf _build _labs .pytest_cache .ruff_cache
