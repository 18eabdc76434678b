# Every chore of the project. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell $(p) -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && command -v $(p))))
STAMP := $(VENV)/.installed
# Tests and demo start hundreds of Python processes: without bytecode each compiles Airflow and all else anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE
# In CI the tests print what they run; by hand they are quiet.
PYTEST_FLAGS ?=
# Test files are run side by side, each worker with an Elasticsearch of its own (1 GB). One more than two cores: tests of
# real processes (the demo, Airflow, outages) mostly wait, and a worker that waits leaves its core to another.
WORKERS ?= 3
# The fast ones wait for nothing.
FAST_WORKERS ?= 2

help: ## list what can be made
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r t d; do printf '  \033[1mmake %-10s\033[0m %s\n' "$$t" "$$d"; done

install: $(STAMP) ## install everything into .venv (a second call costs nothing)

$(STAMP): pyproject.toml requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "newswatch needs Python 3.11, 3.12 or 3.13 on the PATH (or PYTHON=/path/to/python3)." >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@UV=$$(command -v uv || echo $(BIN)/uv); \
	  echo "Installing the locked dependencies into $(VENV) …"; \
	  $$UV pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock && \
	  $$UV pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(STAMP) ## the whole pipeline on a local newsroom: feeds to e-mail, checked step by step (KEEP=1 leaves it running)
	@$(BIN)/newswatch demo $(if $(KEEP),--keep)

pictures: $(STAMP) ## renew the pictures of the News page and of the demo's mails in docs/pictures (needs Chromium)
	NEWSWATCH_PICTURES=docs/pictures $(BIN)/pytest -q tests/web/test_browser.py tests/web/test_airflow.py
	$(BIN)/newswatch demo
	$(BIN)/python -m tests.delivery.pictures docs/pictures

evaluate: $(STAMP) ## measure tags, stories, extraction … on the labelled data and write docs/evaluation.md (LATENCY=FILE adds a run of benchmarks.latency)
	@$(BIN)/python -m benchmarks.evaluate $(if $(LATENCY),--latency $(LATENCY))

docs: $(STAMP) ## write docs/reference/ from the code, and the index of the decisions
	@$(BIN)/python -m tools.reference && $(BIN)/python -m tools.decisions

site: $(STAMP) ## build the documentation site in var/site (SERVE=1 shows it on 127.0.0.1:8000)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve,build --quiet) --strict

images: $(STAMP) ## put the digests of images beside their tags, as the registries have them now (CHECK=1 only compares)
	@$(BIN)/python -m tools.images $(if $(CHECK),--check)

licences: $(STAMP) ## list the licence of every package that newswatch installs
	@$(BIN)/pip-licenses --packages $$(sed -n 's/^\([a-z0-9_.-]*\)==.*/\1/p' requirements.lock)

hooks: $(STAMP) ## have git run the linters before each commit
	@$(BIN)/pre-commit install

up: $(STAMP) ## start Elasticsearch, Airflow and the mail catcher
	@$(BIN)/newswatch up

test: $(STAMP) lint ## lint, types and every test
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

fast: $(STAMP) ## the tests that need no servers, on two workers
	@$(BIN)/pytest -m "not slow" -n $(FAST_WORKERS) --dist loadfile $(PYTEST_FLAGS)

coverage: $(STAMP) ## run the tests and show which lines and branches they miss (TESTS=tests/ingest for some)
	@mkdir -p var/coverage
	@$(BIN)/pytest $(if $(TESTS),,-n $(WORKERS) --dist loadfile --no-loadscope-reorder) --cov --cov-report=term --cov-report=html $(PYTEST_FLAGS) $(TESTS)
	@echo "Line by line: var/coverage/html/index.html"

lint: $(STAMP) ## ruff, its formatter, mypy --strict and the one-way imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache | tail -n 12

lock: ## resolve the dependencies anew and write both lock files
	uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --upgrade --extra cluster --extra sso --extra ldap --extra kubernetes --extra vectors -o requirements.lock
	uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --extra cluster --extra sso --extra kubernetes --extra vectors --extra dev -c requirements.lock -o requirements-dev.lock

clean: ## remove what was built (data and downloads stay)
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

.PHONY: help install demo pictures evaluate docs site images licences hooks up test fast coverage lint lock clean
