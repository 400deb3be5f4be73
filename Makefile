# Two commands do everything: go run ./cmd/parley, and make test.

VECTORS ?= ../shared/mls-vectors
ARTEFACTS ?= $(CURDIR)/artefacts
TOOLS := $(CURDIR)/.tools
AXE_VERSION := 4.14.1
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Tests in process run with the race detector. So do the vectors, but for a
# sample, which runs twice: whole without it, in part with it. What drives
# binaries from outside runs once, without it, as do the mutants: each builds a
# test of its own.
OUTSIDE := ./cli ./web ./internal/e2e
INSIDE = $(filter-out parley/cli parley/web parley/internal/e2e parley/internal/mutants parley/internal/sim,$(shell go list ./...))

# The simulation is built with the tag rogue, which gives it members who have
# the source and keep to none of it; the program is built without. All of it runs
# without the race detector, which takes seven times as long, and a sample with.
# make test SCHEDULES=20000 is for a night. Before anything lands it is two
# thousand in all: with a rogue, an eighth of that with a relay that lies, too, of
# each kind among honest people, and each durable step once.
SCHEDULES ?= $(if $(CI),1152,384)
OF_A_KIND ?= $(if $(CI),50,4)
TROUBLES := TestTalk|TestTroubles|TestCrashes|TestForks|TestReturnsInTroubles|TestFoundedInTroubles|TestReplacingInTroubles

# Two things are built without the race detector, which finds nothing of ours in
# them: SQLite, which is C translated to Go and touches but the memory of its own
# database, and the arithmetic of curves and lattices, which touches but its own
# numbers. In them it took more than half of the time. What calls them is watched.
UNWATCHED := github.com/ncruces/go-sqlite3-wasm/... crypto/internal/fips140/nistec/... \
	crypto/internal/fips140/edwards25519/... crypto/internal/fips140/mlkem
RACE := -race -short $(UNWATCHED:%=-gcflags=%=-race=false)

.PHONY: test needs dist compiles staticcheck vulncheck fuzz bench clean

test: needs compiles
	go test ./mls -vectors $(abspath $(VECTORS)) -timeout 10m
	go test $(RACE) -timeout 20m $(INSIDE)
	go test -tags rogue $(RACE) -timeout 10m ./internal/sim -run '$(TROUBLES)'
	go test -tags rogue -timeout 10m ./mls ./client ./cli -run 'TestSpoilt|TestForged|TestFoundAgain'
	go test -tags rogue -timeout 80m ./internal/sim -rogues $(SCHEDULES) -schedules $(OF_A_KIND)
	go test -count=1 -timeout 10m ./internal/mutants
	PARLEY_SHOTS=$(ARTEFACTS) PARLEY_AXE=$(TOOLS)/node_modules/axe-core/axe.min.js go test -timeout 20m $(OUTSIDE)

# needs installs what tests need and is missing: a C compiler for the race
# detector, Chromium, and axe-core.
needs:
	@command -v gcc >/dev/null || { apt-get update && apt-get install -y gcc libc6-dev; }
	@command -v chromium >/dev/null || { apt-get update && apt-get install -y chromium; }
	@command -v npm >/dev/null || { apt-get update && apt-get install -y npm; }
	@mkdir -p $(TOOLS) $(ARTEFACTS)
	@test -f $(TOOLS)/node_modules/axe-core/axe.min.js || npm install --silent --no-save --prefix $(TOOLS) axe-core@$(AXE_VERSION)

# compiles: the three systems, without cgo, tests included.
compiles:
	@for os in linux darwin windows; do \
		echo "vet for $$os"; CGO_ENABLED=0 GOOS=$$os go vet ./... || exit 1; done
	go vet -tags rogue ./...

# dist builds the binary for the three systems.
dist:
	@mkdir -p dist
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
		ext=; [ $$os = windows ] && ext=.exe; \
		echo "dist/parley-$$os-$$arch$$ext"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags=-s -o dist/parley-$$os-$$arch$$ext ./cmd/parley || exit 1; \
	done; done

staticcheck:
	go run $(STATICCHECK) ./...
	go run $(STATICCHECK) -tags rogue ./mls ./channel ./client ./cli ./internal/sim

# vulncheck prints a line where the database of vulnerabilities can't be
# reached, and fails only on what it found.
vulncheck:
	@out=$$(go run $(VULNCHECK) ./... 2>&1); code=$$?; \
	if [ $$code -eq 3 ]; then echo "$$out"; exit 1; \
	elif [ $$code -ne 0 ]; then echo "vulnerabilities were not checked: the database can't be reached"; \
	else echo "no known vulnerability"; fi

# fuzz gives each fuzz target its time. What it finds, Go keeps under testdata;
# make test then plays it.
FUZZTIME ?= 1m
fuzz:
	@for pkg in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
		echo "$$pkg $$f"; go test $$pkg -run "^$$f\$$" -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) || exit 1; done; done

bench:
	go test -run xxx -bench . -benchmem ./mls ./channel ./dialogue ./vault ./relay/... ./client ./web ./bench/...

clean:
	rm -rf dist artefacts .tools
