# Every task of the project. `make up` and `make test` need python3 (3.11 or newer) and make, and get the rest.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

up: $(READY)  ## start everything on this machine, deploy, print the URLs
	@$(BIN)/python -m infra.local up

down: $(READY)  ## stop everything; data stays
	@$(BIN)/python -m infra.local down

status: $(READY)  ## show what runs and where
	@$(BIN)/python -m infra.local status

logs: $(READY)  ## show the parts' logs (PART=kafka for one, FOLLOW=1 to go on)
	@$(BIN)/python -m infra.local logs $(PART) $(if $(FOLLOW),--follow)

demo: $(READY)  ## walk through the main job: requests in, Kafka records out
	@$(BIN)/python -m infra.local demo

drill: $(READY)  ## break things on purpose: do the alerts fire, is everything healed, does it tell?
	@$(BIN)/python -m infra.drill $(ARGS)

readiness: $(READY)  ## ask the running stack whether it is fit for production
	@$(BIN)/python -m infra.readiness --wait $(or $(WAIT),75) $(ARGS)

token: $(READY)  ## print a token (ROLE=admin, ops or sales; TENANT=uuid)
	@$(BIN)/python -m infra.local token --role $(or $(ROLE),sales) $(if $(TENANT),--tenant $(TENANT))

dev: $(READY)  ## serve the checkout with reload, without the emulator (PORT=8001)
	@$(BIN)/python -m infra.local dev $(if $(PORT),--port $(PORT))

up-compose: $(READY)  ## the same with Docker Compose
	@$(BIN)/python -m infra.compose up

test: lint  ## check the style, then run every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

faults: $(READY)  ## every fault on real parts, long, with a report
	@$(BIN)/python -m tests.faults $(ARGS)

fuzz: $(READY)  ## the deployed API against its own OpenAPI document, long, with a report
	@$(BIN)/python -m tests.fuzz $(ARGS)

lint: $(READY)  ## ruff, mypy, import contracts, dependencies, generated files
	@echo "· ruff"; $(BIN)/ruff check . && $(BIN)/ruff format --check -q .
	@echo "· mypy"; $(BIN)/mypy --no-error-summary
	@echo "· import contracts"; $(BIN)/lint-imports --no-logo >.local/imports.txt 2>&1 || { cat .local/imports.txt; exit 1; }
	@echo "· dependencies"; $(BIN)/python -m infra.dependencies
	@echo "· generated files"; $(BIN)/python -m infra.docs --check && $(BIN)/python -m infra.slo --check

slo: $(READY)  ## make rules, rule tests, dashboard and tables from infra/slo/objectives.yml; reload Prometheus
	@$(BIN)/python -m infra.slo $(ARGS)

slo-mutants: $(READY)  ## change each threshold, window, comparison and `for` of the rules: do their tests notice? long
	@$(BIN)/python -m infra.slo.mutants $(ARGS)

fmt: $(READY)  ## format the code and generate the documents
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q . && $(BIN)/python -m infra.docs && $(BIN)/python -m infra.slo

package: $(READY)  ## build what is deployed (STAGE=prod)
	@$(BIN)/python -m infra.aws.package --stage $(or $(STAGE),prod)

lock: $(READY)  ## compile the dependencies of pyproject.toml into the lock files
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 pyproject.toml --group dev -o requirements-dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 -c requirements-dev.txt pyproject.toml -o requirements.txt

clean: $(READY)  ## stop everything and throw all local data away
	@$(BIN)/python -m infra.local down; rm -rf .local build

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "python 3.11 or newer is needed; set PYTHON=python3.11")'
	@echo "· installing the tools into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip -q --disable-pip-version-check install uv
	@$(BIN)/uv pip sync -q --python $(BIN)/python requirements-dev.txt
	@mkdir -p .local && touch $@
	@echo "✓ tools installed"

.PHONY: help up down status logs demo drill readiness token dev up-compose test faults fuzz lint slo slo-mutants fmt package lock clean
