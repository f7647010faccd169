# Anabranch. `make` alone prints what there is; only Go and make are needed for demo, build and test.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X github.com/anabranch/anabranch/jobs.version=$(VERSION)
# The product is pure Go; only the race detector needs cgo.
CGO      := $(if $(RACE),1,0)
TESTFLAGS ?=
FUZZTIME ?= 30s
SEEDS    ?= 1000
SEED     ?= 1
LINT     := $(GO) tool -modfile=scripts/tools/go.mod golangci-lint

# $(call timed,NAME,COMMAND) runs the command and prints how long it took, whether it passed or not.
define timed
	@start=$$SECONDS; code=0; { $(2); } || code=$$?; \
	echo "$(1): $$((SECONDS - start)) s, $$([ $$code = 0 ] && echo passed || echo "FAILED ($$code)")"; exit $$code
endef

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the whole pipeline on this machine and print a URL (ARGS="--period 2m --data DIR …")
	$(GO) run . dev $(ARGS)

.PHONY: build
build: ## Build the static binary bin/anabranch
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/anabranch .

.PHONY: test
test: ## Run the hermetic tests (RACE=1 adds the race detector; TESTFLAGS=…)
	$(call timed,test,CGO_ENABLED=$(CGO) $(GO) test -timeout 15m $(if $(RACE),-race) $(TESTFLAGS) ./...)

.PHONY: check
check: ## Check formatting, vet, lint, go.mod and the pure-Go build
	$(call timed,check,$(MAKE) check-format check-vet check-lint check-tidy check-generate check-build)

.PHONY: check-format check-vet check-lint check-tidy check-generate check-build
check-format:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(LINT) fmt --diff
check-vet:
	$(GO) vet -tags integration ./...
check-lint:
	$(LINT) run ./...
check-tidy:
	$(GO) mod tidy -diff
	for m in scripts/tools scripts/oracle/googlesql scripts/oracle/bigquery scripts/oracle/duckdb infra/sorted/compare; do $(GO) mod tidy -C $$m -diff; done
check-generate: generate
	git diff --exit-code -- '*.pb.go'
check-build:
	CGO_ENABLED=0 $(GO) build -trimpath -o /dev/null .

.PHONY: fmt
fmt: ## Format the code as check wants it
	$(LINT) fmt

.PHONY: integration
integration: ## Run the tests that need real servers (Kafka, Redis, S3, Chromium, SQL oracles), starting them first
	@$(GO) build -o bin/testenv ./scripts/testenv
	$(call timed,integration,bin/testenv run -- env ANABRANCH_INTEGRATION=1 CGO_ENABLED=$(CGO) $(GO) test -count=1 -timeout 30m $(if $(RACE),-race) \
		-tags integration -run 'Integration|Conformance' $(TESTFLAGS) ./...)

.PHONY: faults
faults: ## Fault matrix on real servers (SEEDS=1 SEED=1 ROWS=1,2 TABLE=docs/faults.md); what this build has shown is not run again
	@mkdir -p bin
	$(call timed,faults,ANABRANCH_INTEGRATION=1 CGO_ENABLED=0 $(GO) test -count=1 -timeout 0 -tags integration -run TestIntegrationFaultMatrix -v ./jobs/faults \
		-args -full -state '$(CURDIR)/bin/faults.jsonl' -seeds $(if $(filter file,$(origin SEEDS)),1,$(SEEDS)) -seed $(SEED) \
		$(if $(ROWS),-rows $(ROWS)) $(if $(TABLE),-table '$(abspath $(TABLE))'))

.PHONY: oracles
oracles: ## Test the judges of generated SQL, each a module of its own (first build: minutes, 7 GB, a C++ compiler)
	$(call timed,oracles,for m in googlesql bigquery; do CGO_ENABLED=0 $(GO) test -C scripts/oracle/$$m -p 2 -timeout 10m ./...; done; \
		CGO_ENABLED=1 $(GO) test -C scripts/oracle/duckdb -timeout 5m ./...)

.PHONY: bench
bench: ## Measure one suite: make bench SUITE=name [JSON=FILE]; without SUITE, list them
	@$(GO) run ./scripts/bench $(if $(SUITE),-suite '$(SUITE)') $(if $(JSON),-json '$(JSON)')

.PHONY: sim
sim: ## Simulate the pipeline on a virtual clock (SEEDS=1000 SEED=1), failures shrink and print their seed
	$(call timed,sim,$(GO) run ./scripts/sim -seeds $(SEEDS) -seed $(SEED))

.PHONY: mutants
mutants: ## Plant every bug of jobs/sim/testdata/mutants and see whether 1,000 seeds of the simulation notice it
	$(call timed,mutants,ANABRANCH_MUTANTS=all $(GO) test -count=1 -timeout 60m -tags integration -run TestIntegrationMutants -v ./jobs/sim)

.PHONY: fuzz
fuzz: ## Fuzz every decoder for FUZZTIME (30s) each
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: golden
golden: ## Rewrite the golden files, to be read in git diff
	@dirs=$$(grep -rlE 'flag\.Bool\("update"' --include='*_test.go' . | xargs -r -n1 dirname | sort -u || true); \
	[ -n "$$dirs" ] || { echo "no package has golden files"; exit 0; }; \
	CGO_ENABLED=0 $(GO) test $$dirs -update; git status --short

.PHONY: generate
generate: ## Write the generated code (Protobuf), with the generators that scripts/tools pins
	$(GO) run -C scripts/tools ./protogen ../.. schemas/event/event.proto

.PHONY: clean
clean: ## Remove built binaries
	rm -rf bin
