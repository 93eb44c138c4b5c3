# Every target sets up .venv by itself when it has to; second runs skip that.
PYTHON ?= python3
TORCH ?= torch  # obp imports it; name a CPU build here to save gigabytes
VENV := .venv
BIN := $(VENV)/bin
SETUP := setup.cfg pyproject.toml pgrpo_rec/_version.py

.DEFAULT_GOAL := help
.PHONY: help demo benchmark benchmark-full test lint format notebooks figures obp clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.plot  ## See P-GRPO learn for people who differ (ARGS="--ratings PATH" for your own table).
	$(BIN)/pgrpo-rec demo $(ARGS)

SHORT := --scenario clicks scales logit --interactions 12800 --seeds 5 --tune 2 --budget 5
LENGTH := --interactions 12800 --seeds 10 --tune 2 --budget 3
FULL := --scenario clicks scales logit nonlinear nonlinear_logit hard churn $(LENGTH)
MORE := --scenario drift many ratings $(LENGTH)
KEPT := run.json summary.csv tuning.parquet costs.parquet standings.md report.html

define suite
	$(BIN)/pgrpo-rec benchmark $(2) --output runs/benchmark-$(1) --resume $(ARGS)
	$(BIN)/pgrpo-rec report runs/benchmark-$(1) --markdown runs/benchmark-$(1)/standings.md
endef

define keep
	mkdir -p benchmarks/results/$(1)
	cd runs/benchmark-$(1) && cp $(KEPT) $(CURDIR)/benchmarks/results/$(1)/
endef

benchmark: $(VENV)/.report  ## Run the standard suite in short, and make its page; a stopped run goes on.
	$(call suite,short,$(SHORT))
	$(call keep,short)

benchmark-full: $(VENV)/.report  ## Run the suite on all ten scenarios, 40 minutes or more, and make two pages.
	$(call suite,full,$(FULL))
	$(call suite,more,$(MORE))
	$(call keep,full)
	$(call keep,more)

test: $(VENV)/.test lint  ## Prove that it all works: lint, types, import rules, tests with coverage.
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report=term

lint: $(VENV)/.test  ## Check style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test  ## Put the code into its standard form.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebooks: $(VENV)/.test  ## Execute all notebooks and keep what they print.
	$(BIN)/python notebooks/execute.py

figures: $(VENV)/.plot  ## Draw the pictures of the worlds in docs/worlds/ again.
	$(BIN)/python benchmarks/world_figures.py

obp: $(VENV)/bin/python  ## Run our recommenders in Open Bandit Pipeline, in an environment of its own.
	$(PYTHON) -m venv $(VENV)-obp
	$(VENV)-obp/bin/python -m pip install -qq $(TORCH) seaborn pyyaml mypy-extensions tqdm --editable '.[test]'
	$(VENV)-obp/bin/python -m pip install -qq --no-deps --ignore-requires-python 'obp==0.5.7'
	$(VENV)-obp/bin/python -m pytest tests/test_peers.py -k obp

clean:  ## Remove everything that can be made again, results in runs/ excepted.
	rm -rf $(VENV) $(VENV)-obp build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.plot: $(VENV)/bin/python $(SETUP)
	$(BIN)/python -m pip install -qq --editable '.[plot,benchmark]'
	@touch $@

$(VENV)/.report: $(VENV)/bin/python $(SETUP)
	$(BIN)/python -m pip install -qq --editable '.[plot,report]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/python $(SETUP)
	$(BIN)/python -m pip install -qq --editable '.[test]'
	@touch $@
