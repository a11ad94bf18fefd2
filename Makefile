# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test soak lint unit integration molecule compatibility bench clean python docker

# Tools come from .venv, and the collection from this checkout whatever else is installed.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_HOME := $(CURDIR)/.ansible
export PYTHONPATH := $(CURDIR)/.ansible/collections
export MOLECULE_GLOB := molecule/*/molecule.yml
export UV_PYTHON_DOWNLOADS := never

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16
demo: python docker ## start an edge and two backends, show WebSockets through it, over TLS with TLS=1; they stay until demo-down
	@tests/demo/up
demo-down: ## remove the demo's hosts
	@tests/demo/down
test: python docker ## lint, unit and integration, and at the same time molecule and compatibility
	@tests/run "lint unit integration" "molecule compatibility"
soak: python docker ## the same with every broad test whole: before a release, and when what they cover changes
	@WSEDGE_SOAK=1 tests/run "lint unit integration" "molecule compatibility"
lint: python ## every linter, the documentation, the build, ansible-test sanity, or LINTER=name
	@tests/lint $(LINTER)
unit: python ## pytest on the plugins
	@pytest --quiet tests/unit
integration: python docker ## pytest against a real nginx of each version
	@pytest --quiet --numprocesses 4 --dist loadgroup tests/integration
molecule: python docker ## every scenario, two at a time, or SCENARIO=name
	@tests/scenarios $(SCENARIO)
compatibility: python docker ## the default scenario with the oldest ansible-core that we claim
	@tests/compatibility
bench: python docker ## what a socket costs beside the pasted recipe, HAProxy and Caddy, and how long a run takes
	@tests/bench/run
clean: ## remove what all this made here, but no images
	rm -rf .ansible .venv .cache .*_cache .hypothesis wsedge-nginx-*.tar.gz
python docker:
	@tests/setup $@
