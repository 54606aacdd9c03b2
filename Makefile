# The two commands a newcomer needs are `make run` and `make test`; both set up everything they use.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PACKAGES := $(VENV)/.packages
STAMP  := $(VENV)/.installed
LOAD   := $(VENV)/.load/.installed

.DEFAULT_GOAL := help
.PHONY: help install run event test test-clients check audit format lock load load-check clean

help: ## Say what each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(STAMP) ## Make .venv with everything the relay and its tests use

$(PACKAGES): requirements-dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $(PACKAGES)

$(STAMP): $(PACKAGES) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: $(STAMP) ## Start the whole relay on this machine: queue, door, worker and a sandbox in Plausible's place
	@exec $(BIN)/relay up

event: $(STAMP) ## Post one event to the relay that `make run` started
	@curl -sS -i http://$${RELAY_LISTEN:-127.0.0.1:8000}/api/event \
	  -H 'Content-Type: application/json' \
	  -H 'User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148' \
	  -d '{"name": "Signup", "domain": "example.com", "url": "app://example.com/welcome", "props": {"plan": "trial"}}'; echo

# Hundreds of processes start in it: without bytecode each would compile the relay anew, also where a variable forbids it.
test: $(STAMP) ## Run the whole suite, a file at a time, four at the most side by side
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-clients: $(STAMP) ## Run Plausible's known clients against the relay (needs Node 20 and Chromium)
	$(BIN)/python -m clients.install
	$(BIN)/python -m pytest clients/tests

check: $(STAMP) ## Lint, format, types, import directions, Dockerfile, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m checks.dependencies
	$(BIN)/python -m pip --disable-pip-version-check check

audit: ## Ask the advisory database about every locked dependency (needs a network)
	$(PYTHON) -m venv $(VENV)/.audit
	$(VENV)/.audit/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip-audit
	$(VENV)/.audit/bin/pip-audit --require-hashes --disable-pip -r requirements-dev.lock

format: $(STAMP) ## Let ruff mend what it can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

$(LOAD): $(STAMP) load/requirements.lock
	$(PYTHON) -m venv $(VENV)/.load
	$(VENV)/.load/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r load/requirements.lock
	@touch $(LOAD)

load: $(LOAD) ## Measure the relay beside its peers, the short form (about 5 minutes)
	$(BIN)/python -m load.bench --short

load-check: $(STAMP) ## Fail if an event costs a quarter more CPU time than was recorded
	$(BIN)/python -m load.bench check

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra embedded --extra import --generate-hashes --universal --python-version 3.11 --quiet -o requirements.lock
	uv pip compile pyproject.toml --extra embedded --extra import --group dev --generate-hashes --universal --python-version 3.11 --quiet -o requirements-dev.lock
	uv pip compile clients/requirements.in --generate-hashes --universal --python-version 3.11 --quiet -o clients/requirements.lock
	uv pip compile load/requirements.txt pyproject.toml --extra embedded -c requirements.lock --generate-hashes --universal --python-version 3.11 --quiet -o load/requirements.lock

clean: ## Remove what the targets made, but not the relay's data
	rm -rf $(VENV) clients/.venv clients/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
