# The one vocabulary of commands, for people, hooks and CI.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:

VENV ?= .venv
PORT ?= 8000
ARGS ?=
export VENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1

python := $(VENV)/bin/python
manage := $(python) manage.py
lock := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

.PHONY: help run demo test check bench chaos profile format migrate shell lock clean base dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=8000 for run and demo; ARGS='…' for test, bench, chaos, profile and check; PYTHON=/path/to/python to choose one"

run: base ## Set up and start everything on http://127.0.0.1:8000
	@exec $(manage) serve --setup --port $(PORT)

demo: base ## The same, with a demo project, a receiver and events to watch
	@exec $(manage) demo --port $(PORT)

test: dev ## All tests, on every database that can be reached
	@exec $(python) -m tests.run_suites $(ARGS)

check: dev ## Linters, types, layers, migrations, OpenAPI
	@exec $(python) -m tools.check $(ARGS)

bench: dev ## The benchmark table
	@exec $(python) -m tests.bench $(ARGS)

chaos: dev ## Faults in mid-traffic: what is lost, what comes twice, and how soon it recovers
	@exec $(python) -m tests.chaos $(ARGS)

profile: dev ## Flame graphs of ingest and drain, in var/profile
	@exec $(python) -m tests.bench.profile $(ARGS)

format: dev ## Format and mend what can be mended
	@$(python) -m ruff check --fix-only --quiet
	@$(python) -m ruff format

migrate: base ## Bring the database up to date
	@$(manage) migrate

shell: base ## Django's shell, with the models imported
	@exec $(manage) shell

lock: dev ## Make requirements/*.txt anew from requirements/*.in (ARGS=--upgrade for newer versions)
	@$(python) -m pip install --quiet uv
	@$(lock) $(ARGS) requirements/base.in -o requirements/base.txt
	@$(lock) $(ARGS) -c requirements/base.txt requirements/dev.in -o requirements/dev.txt

clean: ## Remove all that can be made again; your data in ./var stays
	@rm -rf $(VENV) staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

base dev:
	@tools/install.sh $@
