# Thin names over real commands. `make` alone lists them.
# Nothing here is needed to build or to run: cargo alone does that.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Where the demo keeps its data: `sqlite` (a file) or `postgres` (a private cluster).
DB ?= sqlite
# More for the demo's command line, such as DEMO_ARGS='--seed 7'.
DEMO_ARGS ?=
# Which private cluster postgres-start and postgres-stop mean.
NAME ?= test

# Lint tools are pinned, and installed for this checkout only. They run for a second, so building them fast
# matters more than how fast they are.
TOOLS := $(CURDIR)/target/tools
CARGO_DENY := 0.20.2
CARGO_MACHETE := 0.9.2
CARGO_FUZZ := 0.13.2
INSTALL_TOOL := env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=false \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 cargo install --locked --root $(TOOLS)
export PATH := $(TOOLS)/bin:$(PATH)

# A virtual environment that has schemathesis, and the sign that it is complete.
SCHEMATHESIS := $(TOOLS)/schemathesis
EXPLORING := $(SCHEMATHESIS)/complete

BUILT := $(or $(CARGO_TARGET_DIR),target)
MUONG := $(BUILT)/release/muong

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 28

# --- run it ---------------------------------------------------------------------------------------------

.PHONY: demo
demo: ## build, fill a province, serve it (DB=postgres: on a private PostgreSQL cluster; DEMO_ARGS=…)
	$(if $(filter sqlite postgres,$(DB)),,$(error DB=$(DB) is neither sqlite nor postgres. \
		For a server of your own: make demo DEMO_ARGS='--database-url URL'))
	@ops/prerequisites build
	cargo build --release --locked -p muong-server
	@$(if $(filter postgres,$(DB)),ops/private-postgres run demo -- $(MUONG) demo --database-url {url},$(MUONG) demo) \
		$(DEMO_ARGS)

# --- test it --------------------------------------------------------------------------------------------

.PHONY: test
test: check ## everything: check, then all tests on SQLite and on a private PostgreSQL cluster
ifdef MUONG_TEST_POSTGRES_URL
	@$(MAKE) --no-print-directory tests
else
	@ops/private-postgres run --fast --remove test -- env MUONG_TEST_POSTGRES_URL={url} \
		$(MAKE) --no-print-directory tests CLUSTERS='--clusters ops/private-postgres'
endif

# With MUONG_TEST_POSTGRES_URL set. The benchmarks run too, for seconds and without figures, so that they cannot rot; and
# a short torture, on PostgreSQL as well where its programs are on this machine.
CLUSTERS ?=
.PHONY: tests
tests: $(EXPLORING)
	cargo test --workspace --locked
	cargo build --locked -p muong-server -p muong-bench
	ops/explore-api $(BUILT)/debug/muong $(SCHEMATHESIS)/bin/python
	$(BUILT)/debug/muong-bench run --quick --program $(BUILT)/debug/muong --folder $(BUILT)/bench-quick \
		--postgres "$$MUONG_TEST_POSTGRES_URL"
	@ops/prerequisites torture
	$(BUILT)/debug/muong-bench torture --program $(BUILT)/debug/muong --folder $(BUILT)/torture \
		$(CLUSTERS) --seconds 12 --phones 8

# For this checkout only; made anew when what is in it changes.
$(EXPLORING): tests/schemathesis/requirements.txt
	@ops/prerequisites python
	@rm -rf $(SCHEMATHESIS)
	python3 -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: explore
explore: $(EXPLORING) ## requests made from the OpenAPI document, good and bad ones (part of make test; DB=postgres, EXAMPLES=10)
	@ops/prerequisites build
	cargo build --locked -p muong-server
	$(if $(filter postgres,$(DB)),ops/private-postgres run --fast --remove explore -- ops/explore-api --database-url {url}, \
		ops/explore-api) $(BUILT)/debug/muong $(SCHEMATHESIS)/bin/python

# For each target, in seconds. What fails is written to fuzz/artifacts, and goes into fuzz/corpus once it is mended: every
# run of the tests replays that. What else is worth keeping stays in the build's folder for the next run.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := push_body cursor form_definition cel
FUZZ = cargo fuzz run --sanitizer none --target-dir $(abspath $(BUILT))/fuzz
FUZZ_LIMITS := -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
.PHONY: fuzz
fuzz: ## bytes of strangers, made by cargo fuzz from a corpus (FUZZ_SECONDS=60 for each of four targets)
	@ops/prerequisites fuzz
	@command -v cargo-fuzz >/dev/null || $(INSTALL_TOOL) cargo-fuzz@$(CARGO_FUZZ)
	@mkdir -p $(FUZZ_TARGETS:%=$(BUILT)/fuzz/corpus/%)
	@for target in $(FUZZ_TARGETS); do \
		$(FUZZ) $$target $(abspath $(BUILT))/fuzz/corpus/$$target fuzz/corpus/$$target -- $(FUZZ_LIMITS) || exit 1; done

# How many connections; each process has so many files open, and some more.
CROWD ?= 10000
.PHONY: crowd
crowd: ## ten thousand slow connections at once (CROWD=10000; ulimit -n must allow some more)
	@ops/prerequisites build
	MUONG_TEST_CROWD=$(CROWD) cargo test --locked -p muong-tests --test acceptance -- attack_crowd --nocapture

.PHONY: check
check: check-files check-format check-lints check-dependencies ## all that needs no database: files, format, lints, dependencies

.PHONY: check-files
check-files: ## scripts and docker-compose.yml parse
	@for script in .ci/run ops/*; do bash -n "$$script" || exit 1; done
	@if docker compose version >/dev/null 2>&1; then docker compose config --quiet; \
	elif python3 -c 'import yaml' 2>/dev/null; then \
		python3 -c 'import yaml; yaml.safe_load(open("docker-compose.yml"))'; \
	else echo 'skipped docker-compose.yml: neither docker compose nor a YAML parser is here'; fi

.PHONY: check-format
check-format:
	@ops/prerequisites lint
	cargo fmt --all --check

.PHONY: check-lints
check-lints:
	@ops/prerequisites lint
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: check-dependencies
check-dependencies: tools ## licences, bans and sources of dependencies; dependencies that nobody uses
	cargo deny --log-level error check bans licenses sources
	cargo machete api phone tests bench

.PHONY: audit
audit: tools ## known vulnerabilities of dependencies (needs a network)
	cargo deny check advisories

.PHONY: tools
tools: ## install the pinned lint tools into target/tools (about two minutes, once)
	@ops/prerequisites build
	@command -v cargo-deny >/dev/null || $(INSTALL_TOOL) cargo-deny@$(CARGO_DENY)
	@command -v cargo-machete >/dev/null || $(INSTALL_TOOL) cargo-machete@$(CARGO_MACHETE)

# --- measure it -----------------------------------------------------------------------------------------

# PostgreSQL as it comes: without --fast, so every commit reaches the disk.
BENCH := ops/private-postgres run --remove bench -- $(BUILT)/release/muong-bench
BENCH_PLACES := --program $(MUONG) --folder $(BUILT)/bench --postgres {url}

.PHONY: bench
bench: bench-build ## measure on both databases and write BENCHMARKS.md (about half an hour, of which the rush takes a third; the machine should do nothing else)
	$(BENCH) run $(BENCH_PLACES) --write BENCHMARKS.md --mark bench

.PHONY: bench-large
bench-large: bench-build ## let a store grow to ten million records (looks at the free disk first; an hour or more)
	$(BENCH) run $(BENCH_PLACES) --large --only growth --write BENCHMARKS.md --mark bench-large

# More for it: --singles (one submission a request), --stacks (what is called counts for its callers too).
PROFILE_ARGS ?=
.PHONY: profile
profile: bench-build ## where the time of a push goes, by perf (PROFILE_ARGS='--singles --stacks')
	$(BENCH) profile $(BENCH_PLACES) $(PROFILE_ARGS)

# How long things go wrong on each database, in seconds.
TORTURE_SECONDS ?= 130
.PHONY: torture
torture: ## phones at work while the server is killed, stopped, restored … (about five minutes; TORTURE_SECONDS=…)
	@ops/prerequisites torture
	cargo build --release --locked -p muong-server -p muong-bench
	$(BUILT)/release/muong-bench torture --program $(MUONG) --folder $(BUILT)/torture --clusters ops/private-postgres \
		--seconds $(TORTURE_SECONDS)

.PHONY: bench-build
bench-build:
	@ops/prerequisites build
	@rm -rf $(BUILT)/bench # what an interrupted run has left
	cargo build --release --locked -p muong-server -p muong-bench

# --- work on it -----------------------------------------------------------------------------------------

.PHONY: fmt
fmt: ## format the code
	cargo fmt --all

.PHONY: openapi
openapi: ## write openapi/openapi.json anew from the code
	cargo run --quiet --locked -p muong-server -- openapi >openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

.PHONY: postgres-start
postgres-start: ## keep a private cluster running for a loop of tests, and print how to use it (NAME=test)
	@url=$$(ops/private-postgres start --fast $(NAME)) && echo "export MUONG_TEST_POSTGRES_URL='$$url'"

.PHONY: postgres-stop
postgres-stop: ## stop that cluster and delete it (NAME=test)
	@ops/private-postgres stop --remove $(NAME)
