# One command runs what CI runs: `make check test`. `make help` lists the rest.
# TARGET follows CARGO_TARGET_DIR; installed tools live in it, so deleting it undoes everything.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export AURAX_TOOLS := $(TARGET)/tools
export PATH := $(AURAX_TOOLS)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run test check fmt clippy docs features boundaries floats deny package readme examples api-check scripts \
	api prices bench coverage fuzz soak e2e tools

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the server; without a key or an Ollama it answers by the built-in demo
	@cargo run --quiet --package aurax-server -- serve

test: ## every test, doctests included
	@tools/check/install cargo-nextest
	cargo test --quiet --doc --workspace --all-features
	@tools/test/schemathesis
	@rm -rf $(TARGET)/statuses && mkdir -p $(TARGET)/statuses
	AURAX_TEST_SCHEMATHESIS=$(AURAX_TOOLS)/schemathesis/bin/st AURAX_TEST_STATUSES=$(TARGET)/statuses \
		tools/test/services run -- cargo nextest run --workspace --all-features
	@tools/test/statuses $(TARGET)/statuses

check: fmt scripts floats clippy docs features boundaries deny package readme examples api-check ## everything CI asks but the tests

fmt: # formatting
	cargo fmt --all --check

scripts: # every script parses
	@for script in $$(git grep -l '^#!.*bash' -- .ci tools); do bash -n "$$script" || exit 1; done

floats: # money never touches one
	@tools/check/floats

clippy: # lints, on every target
	cargo clippy --workspace --all-targets --all-features -- -D warnings

docs: # rustdoc without warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --quiet

features: # each feature alone, none, the default ones and all together
	@tools/check/install cargo-hack
	cargo hack clippy --workspace --each-feature --quiet -- -D warnings

boundaries: # what the core must not know
	@tools/check/boundaries

deny: # banned crates and features, licences, sources
	@tools/check/install cargo-deny
	cargo deny --workspace --all-features --log-level error check bans licenses sources

package: # every crate packs, with what its sources include
	@tools/check/package

readme: # the README's first program builds in a crate of its own
	@tools/check/readme

examples: # every example answers without a key
	@tools/check/examples

api-check: # the committed listings of the public API are current
	@tools/check/install cargo-public-api
	@tools/check/api --check

api: ## write api.txt and aurax-core/api.txt anew
	@tools/check/install cargo-public-api
	@tools/check/api

prices: ## refresh the price book from its sources
	tools/prices/refresh

bench: ## benchmarks
	cargo bench --package aurax --all-features --bench '*'
	cargo bench --package aurax-store --all-features --bench '*'

coverage: ## line coverage of the tests, as a summary and as HTML in the target folder
	@tools/check/install cargo-nextest cargo-llvm-cov
	@tools/check/coverage

fuzz: ## every fuzz target for a minute, SECONDS_EACH for another time
	@tools/check/install cargo-fuzz
	@tools/check/fuzz

soak: ## the tests of kills, crashes and outages, for longer
	@tools/check/install cargo-nextest
	AURAX_SOAK=1 tools/test/services run -- cargo nextest run --package aurax-store --all-features --test endurance

e2e: ## one chat over each wire with a real local model (270 MB, the first time)
	@tools/local-model/run

tools: ## install the cargo tools that the other commands use
	@tools/check/install cargo-nextest cargo-hack cargo-deny cargo-public-api cargo-llvm-cov
