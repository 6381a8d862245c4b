# Every task of the project. All of them need python3 (3.11 to 3.14) and make, and install the rest into .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
COMPILE := $(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

up: $(READY)  ## start the local stack, deploy to it, and print its URLs
	@$(BIN)/python -m infra.local up

down: $(READY)  ## stop the local stack; its data stays
	@$(BIN)/python -m infra.local down

status: $(READY)  ## show which services run, and where
	@$(BIN)/python -m infra.local status

logs: $(READY)  ## show the services' logs (SERVICE=kafka for one service, FOLLOW=1 to follow)
	@$(BIN)/python -m infra.local logs $(or $(SERVICE),$(PART)) $(if $(FOLLOW),--follow)

demo: $(READY)  ## walk through the main use case: requests go in, Kafka records come out
	@$(BIN)/python -m infra.local demo

seed: $(READY)  ## write sample accounts, contacts and jobs into the local stack (ARGS="--accounts 50")
	@$(BIN)/python -m infra.local.seed $(ARGS)

drill: $(READY)  ## break the local stack and check that alerts fire and services are healed
	@$(BIN)/python -m infra.drill $(ARGS)

readiness: $(READY)  ## check whether the running stack is fit for production
	@$(BIN)/python -m infra.readiness --wait $(or $(WAIT),75) $(ARGS)

token: $(READY)  ## print an access token (ROLE=admin, ops or sales; TENANT=uuid)
	@$(BIN)/python -m infra.local token --role "$(or $(ROLE),sales)" $(if $(TENANT),--tenant "$(TENANT)")

dev: $(READY)  ## serve the checkout and reload it on every change (PORT=8001)
	@$(BIN)/python -m infra.local dev $(if $(PORT),--port $(PORT))

up-compose: $(READY)  ## start the local stack with Docker Compose
	@$(BIN)/python -m infra.compose up

test: lint  ## check style, types and contracts, then run every test (ARGS for pytest)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

faults: $(READY)  ## inject every fault into real services, and write a report (6 minutes)
	@$(BIN)/python -m tests.faults $(ARGS)

fuzz: $(READY)  ## check the deployed API against its OpenAPI document with generated requests (minutes)
	@$(BIN)/python -m tests.fuzz $(ARGS)

lint: $(READY)  ## check style, types, import contracts, dependencies and generated files
	@mkdir -p .local
	@echo "· ruff"; $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "· mypy"; $(BIN)/mypy --no-error-summary
	@echo "· import contracts"; $(BIN)/lint-imports --no-logo >.local/imports.txt 2>&1 || { cat .local/imports.txt; exit 1; }
	@echo "· dependencies"; $(BIN)/python -m infra.dependencies
	@echo "· generated files"; $(BIN)/python -m infra.docs --check && $(BIN)/python -m infra.slo --check \
	  && $(BIN)/python -m tests.slo --check

slo: $(READY)  ## generate rules, rule tests, dashboard and tables from the objectives; reload Prometheus
	@$(BIN)/python -m infra.slo $(ARGS) && $(BIN)/python -m tests.slo $(filter --check,$(ARGS))

slo-mutants: $(READY)  ## change each number of the rules and check that a rule test fails (minutes)
	@$(BIN)/python -m tests.slo.mutants $(ARGS)

fmt: $(READY)  ## format the code, and generate the documents and rules
	@$(BIN)/ruff check --fix -q .; $(BIN)/ruff format -q . && $(BIN)/python -m infra.docs && $(BIN)/python -m infra.slo && $(BIN)/python -m tests.slo

package: $(READY)  ## build the bundle and the CloudFormation template into build/package (STAGE=prod)
	@$(BIN)/python -m infra.aws.package --stage $(or $(STAGE),prod)

lock: $(READY)  ## resolve the dependencies of pyproject.toml into the lock files
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.txt
	$(COMPILE) -c requirements-dev.txt pyproject.toml -o requirements.txt

clean: $(READY)  ## stop the local stack and delete its data and everything that was built
	@$(BIN)/python -m infra.local down; rm -rf .local build

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	@echo "· installing the tools into .venv"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip -q --disable-pip-version-check install uv
	@$(BIN)/uv pip sync -q --python $(BIN)/python requirements-dev.txt
	@touch $@
	@echo "✓ tools installed"

.PHONY: help up down status logs demo seed drill readiness token dev up-compose test faults fuzz lint slo slo-mutants fmt package lock clean
