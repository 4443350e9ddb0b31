# Two commands do everything: `make demo` and `make test`.  Both set up what they need, and are quick the second time.
# Needed on the machine: Python 3.11 or later, Node, make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV_COMPILE := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

# The libraries work on every Node since 18; banners about an old one would drown the progress.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 18,20
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED := true

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types tests test-lowest destroy lock clean snapshots benchmarks

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/.demo node_modules/.package-lock.json ## Set up, and run the main job on a local AWS: source image -> AMIs -> fleets in two Regions
	@$(BIN)/cdk-ami sandbox -- $(BIN)/python examples/demo.py $(DEMO_ARGS)

# Two at a time: Python's packages beside the command line's, and the types beside the tests.
test: ## Set up, and run the whole check: lint, types, imports, dependencies, tests
	@$(MAKE) --no-print-directory --jobs=2 .venv/.dev node_modules/.package-lock.json
	@$(MAKE) --no-print-directory --jobs=2 check

check: lint types tests

lint:
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry --no-ansi .

types:
	$(BIN)/mypy
	@for app in examples/*/app.py; do $(BIN)/mypy --no-error-summary $$app || exit 1; done

# In the order of their folders: by the number of their tests, the few long ones would come last and alone.
tests:
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

LOWEST := $(shell sed -nE 's/.*"moto\[server\]>=([0-9.]+),.*/\1/p' pyproject.toml)

test-lowest: .venv/.dev ## Run the tests of the sandbox with the lowest version of the emulator library that is allowed
	@rm -rf .lowest
	@$(PIP) install --no-deps --target .lowest "moto==$(LOWEST)"
	@echo "moto $(LOWEST)"
	PYTHONPATH="$(CURDIR)/.lowest:$(CURDIR)" $(BIN)/python -m pytest $(or $(TESTS),tests/sandbox)

snapshots: .venv/.dev ## Write the snapshots of stacks and rules anew; read the diff before you commit it
	$(BIN)/python -m pytest tests/stacks tests/checks/template/test_rules.py --snapshot-update

benchmarks: .venv/.dev node_modules/.package-lock.json ## Measure synthesis, components and the sandbox
	$(BIN)/python benchmarks/synth.py
	$(BIN)/python benchmarks/components.py
	$(BIN)/python benchmarks/checks.py
	$(BIN)/python benchmarks/sandbox.py

lock: ## Resolve the dependencies anew into requirements/ (needs uv)
	$(UV_COMPILE) --extra sandbox --group demo --output-file requirements/demo.lock
	$(UV_COMPILE) --extra sandbox --group dev --output-file requirements/dev.lock

clean: ## Remove all that the other targets made
	rm -rf .venv node_modules cdk.out .demo .lowest .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.demo: requirements/demo.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv (about a minute, once)"
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements/demo.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.lock .venv/.demo
	@echo "Adding what the checks need to .venv"
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@echo "Setting up node_modules (the CDK command line)"
	@npm ci --silent --no-audit --no-fund
	@touch $@
