# `make synth` and `make test` do all required set-up, once. They need only Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
RUN = @command -v $(PYTHON) > /dev/null || { \
		echo "error: there is no $(PYTHON): install Python 3.11 to 3.14, or name it, such as: make synth PYTHON=python3.12" >&2; exit 1; }; \
	$(PYTHON) tools/run.py
# Installs what is missing, and repairs what is damaged.
SET_UP = $(RUN) environment

# Settings for another project, or for Python itself, must not affect this one.
unexport PYTHONHOME PYTHONPATH PYTHONUSERBASE VIRTUAL_ENV PIPENV_PIPFILE
# Without bytecode, Python would compile CDKTF in each synthesis.
unexport PYTHONDONTWRITEBYTECODE
# No version checks by cdktf or terraform.
export CHECKPOINT_DISABLE := 1

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

.PHONY: synth
synth: setup ## Write the Terraform configuration to terraform/ and cdktf.out/.
	@$(VENV)/bin/python main.py

# By default as many as there is memory for, up to 12: the AWS provider polls slowly, so that the
# end-to-end tests mostly wait.
TEST_PROCESSES ?= auto

.PHONY: test
test: setup-dev lint ## Check and test everything.
	$(VENV)/bin/python -m pytest --numprocesses $(TEST_PROCESSES) --no-loadscope-reorder

FOLDER ?= terraform
OUTPUT ?= adopted.py
# Further options, such as --provider us-west-2=aws.west.
ADOPT ?=

.PHONY: adopt
adopt: setup ## Generate the program of existing stacks: FROM=plan.json [FOLDER=...] [OUTPUT=adopted.py].
	@test -n "$(FROM)" || { echo "error: FROM is required, such as: make adopt FROM=plan.json" >&2; exit 1; }
	@$(VENV)/bin/python -m buildkite_agents.adopt --check --folder "$(FOLDER)" --output "$(OUTPUT)" $(ADOPT) "$(FROM)"

.PHONY: demo
demo: setup-dev ## Deploy to a simulated AWS on this machine, with real Terraform.
	@$(VENV)/bin/python tools/demo.py

.PHONY: bench
bench: setup ## Measure a synthesis, and compare it with an empty app and the prebuilt package.
	@$(VENV)/bin/python tools/bench.py

.PHONY: lint
lint: setup-dev ## Check formatting, style, types and shell scripts.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	@$(VENV)/bin/python -c 'import buildkite_agents.aws' # mypy reads the bindings
	$(VENV)/bin/mypy
	$(VENV)/bin/shfmt --diff --indent 2 $(SHELL_SCRIPTS)
	$(VENV)/bin/shellcheck --enable all $(SHELL_SCRIPTS)
	$(VENV)/bin/codespell .github bootstrap constructs docs examples tests tools *.md *.py

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
setup: ## Install the packages for a synthesis, from the lock file, into .venv.
	$(SET_UP) synth

.PHONY: setup-dev
setup-dev: ## Install the packages for the tests too. Checkov and pipenv need separate environments.
	$(SET_UP) develop checkov pipenv

.PHONY: lock
lock: ## Update Pipfile.lock and tools/*.txt to the newest versions that the Pipfile permits.
	$(RUN) lock

.PHONY: successor
successor: ## Move this checkout to CDK Terrain, the successor of CDKTF.
	$(RUN) successor

.PHONY: clean
clean: ## Remove all installed and generated files except the synthesized configuration.
	rm -rf $(VENV) .uv .pipenv .checkov .set-up.lock .demo-cache constructs/buildkite_agents/aws/*/ *.egg-info \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis
