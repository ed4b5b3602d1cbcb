# A convenience: everything here is one go command, and nothing needs make.

FUZZTIME ?= 20s

.PHONY: demo test lint fuzz bench

demo: ## the whole story in a few seconds
	go run ./cmd/bootseal demo

test: ## all tests that need nothing but Go
	go test ./...

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go tool staticcheck ./...

fuzz: ## every fuzz target for FUZZTIME
	.ci/fuzz $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...
