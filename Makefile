# Two commands do everything on a fresh Debian machine: `make run` and `make test`.
PYTHON ?= $(firstword $(shell command -v python3.11 python3 2>/dev/null))
BIN := .venv/bin
LOCKS := .ci/locks

.PHONY: run test env lint locks clean help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

run: .venv/.stellwerk-run ## make an environment, install, run the demonstration
	$(BIN)/stellwerk demo

test: .venv/.stellwerk-dev ## make the environment, run all tests
	sh .ci/test

env: .venv/.stellwerk-dev ## make .venv for development

lint: .venv/.stellwerk-dev ## linters, type checker, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

locks: .venv/.stellwerk-dev ## compile the lock files anew from pyproject.toml
	sh .ci/compile-locks

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.stellwerk-run: .venv/bin/python $(LOCKS)/run.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCKS)/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.stellwerk-dev: .venv/.stellwerk-run $(LOCKS)/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCKS)/dev.txt
	@touch $@

clean: ## remove environments, runs and caches
	rm -rf .venv .venvs runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
