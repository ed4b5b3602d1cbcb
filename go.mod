module github.com/bootseal/bootseal

go 1.26.0

tool honnef.co/go/tools/cmd/staticcheck

require (
	filippo.io/bigmod v0.1.0
	filippo.io/nistec v0.0.4
	github.com/google/go-tpm v0.9.8
	github.com/rogpeppe/go-internal v1.14.1
	github.com/spf13/cobra v1.10.2
	golang.org/x/crypto v0.47.0
	golang.org/x/sys v0.47.0
	golang.org/x/term v0.43.0
)

require (
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.35.0 // indirect
	golang.org/x/sync v0.20.0 // indirect
	golang.org/x/tools v0.44.1-0.20260420230617-19499e7caabc // indirect
	honnef.co/go/tools v0.8.0 // indirect
)
