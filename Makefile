# tlswire: what one types. Each target makes the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo scan test check lint types format stacks survey bench bench-check bench-fuzz bench-pcap clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(DEVELOPED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test,lint]'
	@touch $(INSTALLED) $@

demo: $(INSTALLED) ## scan the lab's legacy-mdm server with the real command line
	@PATH="$(abspath $(BIN)):$$PATH" sh docs/demo.sh

scan: $(INSTALLED) ## scan your own server: make scan HOST=example.com
	@test -n "$(HOST)" || { echo 'usage: make scan HOST=example.com[:PORT] [ARGS="--method eliminate"]' >&2; exit 2; }
	@$(BIN)/tlswire scan $(HOST) $(ARGS)

test: $(DEVELOPED) ## run the tests; those of real servers run where the servers are installed
	$(BIN)/python -m pytest $(ARGS)

lint: $(DEVELOPED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(DEVELOPED)
	$(BIN)/mypy

check: lint types test ## what CI runs: lint, types, tests

format: $(DEVELOPED) ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

stacks: $(DEVELOPED) ## install the real TLS servers from Debian (as root) and PyPI
	VENV=$(VENV) .ci/stacks

survey: $(DEVELOPED) ## run the fuzzer's catalogue against every stack that is installed, and write docs/survey.md
	$(BIN)/python -m tests.survey $(ARGS)

bench: $(DEVELOPED) ## measure scans against sslscan, nmap and sslyze
	$(BIN)/python -m bench.scan $(ARGS)

bench-check: $(DEVELOPED) ## measure checks of many endpoints, beside sslyze
	$(BIN)/python -m bench.check $(ARGS)

bench-fuzz: $(DEVELOPED) ## measure campaigns: seconds a stack, hellos a second, beside tlsfuzzer
	$(BIN)/python -m bench.fuzz $(ARGS)

bench-pcap: $(DEVELOPED) ## measure captures against tshark, ndpiReader, dpkt, scapy and pyshark
	$(BIN)/python -m bench.pcap $(ARGS)

clean: ## remove what the other targets made
	rm -rf $(VENV) .venv-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
