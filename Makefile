# A convenience: everything here is one go command, and nothing needs make.

FUZZTIME ?= 20s

.PHONY: demo deb deb-test test lint fuzz bench bench-swtpm conformance interop lab lab-quick lab-predict lab-migrate

demo: ## the whole story in a few seconds
	go run ./cmd/bootseal demo

deb: ## the Debian package, into dist; GOARCH=arm64 for that
	packaging/deb

deb-test: ## the package's life in a new Debian; installs what it needs
	conformance/install mmdebstrap shellcheck lintian
	packaging/test

test: ## all tests that need nothing but Go
	go test ./...

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go tool staticcheck ./...

fuzz: ## every fuzz target for FUZZTIME
	.ci/fuzz $(FUZZTIME)

bench-swtpm: ## the vTPM beside swtpm, in turns; docs/performance.md explains
	go run ./conformance/bench

bench:
	go test -run '^$$' -bench . -benchmem ./...

conformance: ## suites that others wrote, against the vTPM; installs what they need
	conformance/run

interop: ## swtpm's and tpm2 tools, and QEMU with real firmware, on the vTPM; installs what it needs
	conformance/interop/run --install

# What came out as predicted goes into the lab's ledger, and from there into docs/accuracy.md, also from
# a run in which something else failed.
boots = go run ./lab/$(1) -record lab/matrix/boots.json $(2) $(ARGS); status=$$?; go test ./predict -run TestAccuracy -update && exit $$status

lab-predict: ## new boots under QEMU, predicted and compared; ARGS="-run grub"; installs what it needs
	conformance/install qemu-system-x86 ovmf mtools dosfstools gdisk busybox-static binutils sbsigntool openssl e2fsprogs xz-utils
	$(call boots,predict)

lab-migrate: ## machines that run are moved with their vTPMs; ARGS="-run swtpm"; installs what it needs
	lab/migrate/install
	go run ./lab/migrate $(ARGS)

lab: ## stories of a Debian node in LUKS2, each with real boots; ARGS="-run upgrade -v"; installs what it needs
	lab/node/install
	$(call boots,node)
	$(if $(ARGS),,go run ./lab/migrate && go run ./lab/fleet)

lab-quick: ## those that every change has to pass
	lab/node/install
	$(call boots,node,-quick)
