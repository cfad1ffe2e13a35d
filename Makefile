# Every target says what it does when it runs; `make` alone lists them.
# Downloads (Milvus, etcd, Python packages, tools) go to $(CACHE), outside the clone.

SHELL := /bin/bash
CACHE := $(or $(HARRIER_CACHE),$(HOME)/.cache/harrier)
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
# Installs what is missing and then runs Python with the test packages.
PYTHON := PYTHONPATH=tests python3 -m harness.install
export PYTHONDONTWRITEBYTECODE := 1
export ROUNDS SEED TRIES

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench bench-cluster simulate chaos failover clean e2e

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## install what is needed, start a source, a standby and Harrier, and show rows flow (Ctrl-C ends)
	@$(PYTHON) -m demo

test: ## run all tests: unit tests, then the suites on real Milvus servers
	@$(PYTHON) -m harness.suites

e2e: ## run the suites on real servers alone; ARGS="-k name" chooses
	cargo build -p harrier
	@$(PYTHON) -m pytest tests $(ARGS)

check: $(CARGO_DENY) ## format, lints, licences, bans and sources; changes nothing
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(CARGO_DENY) check licenses bans sources
	@$(PYTHON) -m ruff check tests

fix: ## format, and apply what the lints can mend
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	@$(PYTHON) -m ruff check --fix tests

bench: ## measure throughput, lag, CPU and memory on real servers (prints, asserts nothing)
	@$(PYTHON) -m bench

bench-cluster: ## three coordinators, 16,000 senders, 1,000 workers that beat: CPU, answers, Raft (TASKS, WORKERS)
	@$(PYTHON) -m bench.cluster

simulate: ## 10,000 histories of a whole Harrier in virtual time, faults drawn from seeds (FIRST, SEEDS)
	HARRIER_SIM_FIRST=$(or $(FIRST),0) HARRIER_SIM_SEEDS=$(or $(SEEDS),10000) CARGO_INCREMENTAL=0 \
		cargo test --config sim/optimized.toml --workspace --test seeds no_history -- --nocapture

chaos: ## faults of every kind at moments of chance, compared by content (ROUNDS=, SEED=; without them all campaigns, hours)
	cargo build -p harrier
	@$(PYTHON) -m chaos $(if $(ROUNDS)$(SEED),group)

failover: ## kill -9 of a worker, of the leader, of both, 50 times each: how soon ticks flow again (TRIES=; 30 minutes)
	cargo build -p harrier
	@$(PYTHON) -m chaos.group.failover

clean: ## remove what was built here; the cache of downloads stays
	cargo clean
	find tests -name __pycache__ -prune -exec rm -rf {} +

$(CARGO_DENY):
	@echo "installing cargo-deny $(CARGO_DENY_VERSION) into $(CACHE) (minutes, once)"
	env -u CARGO_TARGET_DIR cargo install --locked --quiet cargo-deny --version $(CARGO_DENY_VERSION) --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)
