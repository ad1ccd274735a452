# `make synth` and `make test` do all the set-up they need, once. Python 3.10 or newer is enough.

PYTHON ?= python3
VENV := .venv
PIPENV := .pipenv/bin/pipenv
# Its own environment: it wants other versions of what our tests use.
CHECKOV := .checkov/bin/checkov

# The virtual environment is this folder's own, whatever else is active.
export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export PIPENV_QUIET := 1
# Of the AWS package's 2,200 modules a dozen are used: compiling them all takes longer than the rest.
export PIP_NO_COMPILE := 1
# Without its bytecode, CDKTF would be compiled at each synth.
unexport PYTHONDONTWRITEBYTECODE
# No calls home from cdktf or terraform.
export CHECKPOINT_DISABLE := 1

SAY := @printf '%s\n' >&2

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

.PHONY: synth
synth: setup ## Write the Terraform configuration, to terraform/ and cdktf.out/.
	@$(VENV)/bin/python main.py

# More than cores: the end-to-end tests mostly wait, for an AWS provider that polls slowly.
TEST_PROCESSES ?= 8

.PHONY: test
test: setup-dev lint $(CHECKOV) ## Check and test everything.
	$(VENV)/bin/python -m pytest --numprocesses $(TEST_PROCESSES) --no-loadscope-reorder

.PHONY: demo
demo: setup-dev ## Deploy to an AWS on this machine, with real Terraform, and look around.
	@$(VENV)/bin/python tools/demo.py

.PHONY: bench
bench: setup ## Measure a synthesis, beside an empty app and the prebuilt package.
	@$(VENV)/bin/python tools/bench.py

.PHONY: diagram
diagram: synth ## Draw what terraform/ deploys, as Mermaid.
	@$(VENV)/bin/python tools/diagram.py terraform

.PHONY: lint
lint: setup-dev ## Check formatting, style, types and shell scripts.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	@$(VENV)/bin/python -c 'import imports' # mypy reads the bindings
	$(VENV)/bin/mypy
	$(VENV)/bin/shfmt --diff --indent 2 $(SHELL_SCRIPTS)
	$(VENV)/bin/shellcheck --enable all $(SHELL_SCRIPTS)

SHELL_SCRIPTS := bootstrap/buildkite-bootstrap.sh .ci/run

.PHONY: format
format: setup-dev ## Format the code.
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/shfmt --write --indent 2 $(SHELL_SCRIPTS)

.PHONY: app
app: setup # What the cdktf CLI runs.
	@$(VENV)/bin/python main.py

.PHONY: setup
setup: $(VENV)/.packages ## Install what synth needs, from the lock file, into .venv.

.PHONY: setup-dev
setup-dev: $(VENV)/.dev-packages ## Install what the tests need too.

.PHONY: lock
lock: $(PIPENV) ## Update Pipfile.lock to the newest versions that the Pipfile admits.
	$(PYTHON) tools/lock.py $(PIPENV)

.PHONY: clean
clean: ## Remove what was installed and made, but for the synthesized configuration.
	rm -rf $(VENV) .pipenv .checkov .demo-cache imports/aws *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(PIPENV): tools/pipenv.txt
	$(SAY) 'Installing pipenv ...'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	@$(PYTHON) -m venv --clear .pipenv
	@.pipenv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement tools/pipenv.txt >&2
	@touch $@

$(CHECKOV): tools/checkov.txt
	$(SAY) 'Installing checkov ...'
	@$(PYTHON) -m venv --clear .checkov
	@.checkov/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--no-deps --requirement tools/checkov.txt >&2
	@touch $@

$(VENV)/.packages: $(PIPENV) Pipfile.lock pyproject.toml
	$(SAY) 'Installing the packages of Pipfile.lock into $(VENV), a minute or so ...'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(PIPENV) sync >&2
	@if ! node --version 2>/dev/null | grep -qE '^v(2[2-9]|[3-9][0-9])\.'; then \
		printf '%s\n' 'Installing Node.js from PyPI into $(VENV) ...' >&2; \
		$(PIPENV) sync --categories node >&2; \
	fi
	@$(VENV)/bin/python -c 'from buildkite_agents import AgentApp' # which fills the caches
	@touch $@

$(VENV)/.dev-packages: $(VENV)/.packages
	$(SAY) 'Installing the development packages of Pipfile.lock into $(VENV), a minute or so ...'
	@$(PIPENV) sync --categories dev-packages >&2
	@touch $@
