# Every task of the project; `make help` lists them. Everything is built in .venv and build/.
# BREAKWATER_CACHE, when set, keeps compiled Rust outside the tree so that a fresh clone builds warm.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
PYTHON := $(VENV)/bin/python
MANIFEST := sidecar/core/Cargo.toml
BUF_VERSION := 1.75.0
BUF := build/buf/node_modules/.bin/buf
export CARGO_TARGET_DIR := $(if $(BREAKWATER_CACHE),$(BREAKWATER_CACHE)/cargo,$(CURDIR)/build/cargo)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Tests start our programs by the hundred: compiled once, a control plane starts with a third of the CPU.
unexport PYTHONDONTWRITEBYTECODE

RUST_SOURCES := $(shell find sidecar/core -name '*.rs' -o -name 'Cargo.*' 2>/dev/null | grep -v /target/)
PROTOS := $(wildcard proto/mesh/v1/*.proto proto/mesh/*/v1/*.proto)
# Tests mostly wait for each other's processes: two workers take little more than half the time of one.
SIDE_BY_SIDE := --numprocesses=2 --dist=loadfile
VENV_READY := $(VENV)/.ready
CORE_READY := $(VENV)/.core

.PHONY: help dev demo proto format lint types tools test rust-test property integration test-faults kube-tools test-kubernetes bench bench-controlplane golden docs chart wheel clean all

help: ## list the tasks
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

$(VENV_READY): pyproject.toml
	@echo "setting up .venv: about a minute"
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --upgrade 'pip>=25.1'
	@$(PYTHON) -m pip install --quiet --group dev
	@touch $@

$(CORE_READY): $(VENV_READY) $(RUST_SOURCES) $(PROTOS) proto/build_backend.py
	@echo "building the sidecar's core: 3 to 6 minutes the first time, about one after a change"
	@$(PYTHON) proto/build_backend.py
	@$(VENV)/bin/maturin develop --quiet --release --locked --extras controlplane,kubernetes,cli
	@touch $@

dev: $(CORE_READY) ## set up .venv with everything, ready to work in

proto: $(VENV_READY) ## generate mesh/ from proto/
	@$(PYTHON) proto/build_backend.py

demo: $(CORE_READY) ## play the story on this machine; ARGS=--keep leaves it running, ARGS=--store=etcd is on etcd
	@$(VENV)/bin/breakwater quickstart $(if $(ARGS),$(ARGS))

format: $(VENV_READY) ## format Python and Rust
	@ruff format . && ruff check --fix --quiet . || true
	@cargo fmt --manifest-path $(MANIFEST) --all

$(BUF):
	@echo "fetching buf: a few seconds"
	@npm install --silent --no-audit --no-fund --prefix build/buf @bufbuild/buf@$(BUF_VERSION) >/dev/null

lint: $(CORE_READY) $(BUF) ## every style and architecture check
	@ruff check . && ruff format --check --quiet .
	@lint-imports --no-logo
	@cd proto && $(CURDIR)/$(BUF) lint
	@proto/breaking.sh $(CURDIR)/$(BUF)
	@cargo fmt --manifest-path $(MANIFEST) --all --check
	@echo "clippy: 1 to 2 minutes the first time"
	@cargo clippy --quiet --manifest-path $(MANIFEST) --workspace --all-targets --locked -- -D warnings
	@cargo clippy --quiet --manifest-path tests/bench/decisions/Cargo.toml --locked -- -D warnings

types: $(CORE_READY) ## mypy over packages and tests, and the stubs of the core
	@mypy
	@$(PYTHON) -m mypy.stubtest sidecar._core

rust-test: ## tests of the Rust workspace
	@echo "Rust tests: 2 to 4 minutes the first time"
	@cargo test --quiet --manifest-path $(MANIFEST) --workspace --locked

tools: $(VENV_READY) ## build the Go programs that tests run, once
	@$(PYTHON) -m tests.support.gotools etcd porcupine

test: $(CORE_READY) rust-test tools ## unit, property, contract and integration tests
	@echo "Python tests: about 8 minutes"
	@$(PYTHON) -m pytest $(SIDE_BY_SIDE) $(ARGS)

property: $(CORE_READY) ## property tests with 100,000 sequences for each machine
	@echo "property tests: one to two hours; ARGS='-k bulkhead' is one machine, a few minutes"
	@HYPOTHESIS_PROFILE=thorough $(PYTHON) -m pytest --timeout=0 $(SIDE_BY_SIDE) tests/property $(ARGS)

integration: $(CORE_READY) tools ## only the tests with real sockets and processes
	@$(PYTHON) -m pytest tests/integration $(ARGS)

test-faults: $(CORE_READY) tools ## break everything under traffic, as root; ARGS=--long as long as promised
	@echo "faults: about 25 minutes, with ARGS=--long two hours; the table is in build/faults.json too"
	@$(PYTHON) -m pytest tests/e2e $(ARGS)

kube-tools: $(VENV_READY)
	@$(PYTHON) -m tests.support.gotools etcd kube helm gateway

test-kubernetes: $(CORE_READY) kube-tools ## everything about Kubernetes, against a real kube-apiserver and Helm
	@echo "Kubernetes tests: about 5 minutes"
	@$(PYTHON) -m pytest $(SIDE_BY_SIDE) tests/kubernetes $(ARGS)

bench: $(CORE_READY) ## CPU per request beside HAProxy and Envoy; writes build/bench/dataplane.json
	@$(PYTHON) -m tests.bench --bar 0.60 $(ARGS)

bench-controlplane: $(CORE_READY) ## delivery to up to 5,000 light sidecars; writes build/bench/controlplane.json
	@$(PYTHON) -m tests.bench.controlplane $(ARGS)

golden: $(CORE_READY) ## rewrite the golden files for review
	@$(PYTHON) -m tests.support.golden

docs: $(CORE_READY) ## rewrite what of the pages of policies is generated
	@$(PYTHON) -m tests.support.reference
	@$(PYTHON) -m tests.support.diagrams

chart: $(CORE_READY) ## rewrite what of the charts is generated
	@$(PYTHON) -m tests.support.crds
	@$(PYTHON) -m tests.support.charts

wheel: $(VENV_READY) ## build the wheel into dist/
	@$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what was built
	@rm -rf $(VENV) build dist mesh

all: lint types test test-kubernetes ## what CI runs, in the order that fails fastest
