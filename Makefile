# `make help` lists the targets. Every target first makes sure the environment is there: the
# dependencies are installed once for each set of requirements, in $(CACHE), and shared by all
# checkouts; `.venv` is a thin layer over them that holds this checkout.
PYTHON ?= python3
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/polymodal
KEY := $(shell $(PYTHON) tools/requirements_key.py)
DEPENDENCIES := $(CACHE)/environment-$(KEY)
PY := .venv/bin/python
export OMP_WAIT_POLICY ?= PASSIVE
# Two processes share the tests, a file at a time: trained fixtures are made once for each.
WORKERS ?= -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: setup demo test test-quick check bench docs clean help

setup: .venv/key-$(KEY)  ## install what is needed (kept between runs)

$(DEPENDENCIES)/ready:
	@echo "Setting up the environment, once (2-5 minutes): $(DEPENDENCIES)"
	rm -rf $(DEPENDENCIES)
	$(PYTHON) -m venv $(DEPENDENCIES)
	$(PYTHON) tools/requirements_key.py --list > $(DEPENDENCIES)/requirements.txt
	$(DEPENDENCIES)/bin/python -m pip install --quiet --progress-bar off -r $(DEPENDENCIES)/requirements.txt -c constraints.txt
	touch $@

.venv/key-$(KEY): $(DEPENDENCIES)/ready
	rm -rf .venv
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) tools/layer_environment.py .venv $(DEPENDENCIES)
	$(DEPENDENCIES)/bin/python -m pip --python $(PY) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup  ## train on real data that ships with the project and show the report
	$(PY) -m polymodal.cli train examples/easy_vqa/demo.yaml --out runs/demo --overwrite
	$(PY) tools/open_page.py runs/demo/report.html

test: setup  ## the whole test suite
	$(PY) -m pytest $(WORKERS)

test-quick: setup  ## the quick part of the tests (under two minutes)
	$(PY) -m pytest $(WORKERS) -m "not slow"

check: setup  ## formatting, lint, types, documentation
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(MAKE) --no-print-directory docs

bench: setup  ## every benchmark (some minutes; leave the machine alone meanwhile)
	$(PY) benchmarks/overhead.py
	$(PY) benchmarks/shared_media.py
	$(PY) benchmarks/balance.py
	$(PY) benchmarks/frozen_features.py
	$(PY) benchmarks/cold_start.py
	$(PY) benchmarks/prediction.py
	$(PY) benchmarks/fusion_cost.py
	$(PY) benchmarks/memory.py
	$(PY) benchmarks/modalities.py
	$(PY) benchmarks/peers.py

docs: setup  ## build the documentation; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet --site-dir build/docs

clean:  ## remove what was made here (the shared environment stays)
	rm -rf .venv build dist runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
