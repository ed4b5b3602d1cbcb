// Command gen makes package boots' recordings, and those that package bootchain's
// tests predict, from a folder that has the boots and the files that were booted:
//
//	go run ./internal/boots/gen DIR
//
// DIR has CHAIN/BOOT/{eventlog.bin,pcrs.txt,efivars.json,gpt-first-34-sectors.bin,
// esp.json}, and files/SHA256 for each file that an esp.json lists as path:
// {sha256, size}. The files are large, so that only their manifests are kept.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
)

const (
	target  = "internal/boots/shim-grub-sb"
	chains  = "bootchain/testdata/chains"
	builtIn = "a-shim-grub-sb"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/boots/gen DIR, in the module's folder")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "gen: %v\n", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	for _, name := range boots.Names() {
		if err := generate(dir, string(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, chain := range []string{builtIn, "b-shim-grub-nosb", "c-uki-nosb", "d-sdboot-type1-sb", "e-efistub-nosb"} {
		if err := generateChain(dir, chain); err != nil {
			return fmt.Errorf("%s: %w", chain, err)
		}
	}
	return nil
}

// generateChain keeps what a chain's tests need beside the logs and PCR values in
// package eventlog's testdata: variables, partition table, and the manifests
// before and after the upgrade.
func generateChain(dir, chain string) error {
	from, to := filepath.Join(dir, chain), filepath.Join(chains, chain)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	vars, err := os.ReadFile(filepath.Join(from, string(boots.Second), "efivars.json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "efivars.json"), vars, 0o644); err != nil {
		return err
	}
	table, err := os.ReadFile(filepath.Join(from, string(boots.Second), "gpt-first-34-sectors.bin"))
	if err != nil {
		return err
	}
	// Entries that are not in use are zeros, which tests add again.
	if err := os.WriteFile(filepath.Join(to, "gpt.bin"), bytes.TrimRight(table, "\x00"), 0o644); err != nil {
		return err
	}
	for _, step := range []struct{ boot, file string }{
		{string(boots.Second), "manifest-54.json"}, {string(boots.Upgraded), "manifest-56.json"},
	} {
		if err := writeManifest(dir, filepath.Join(from, step.boot, "esp.json"), filepath.Join(to, step.file)); err != nil {
			return err
		}
	}
	return nil
}

func writeManifest(dir, listing, to string) error {
	m, err := manifest(dir, listing)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(to, append(data, '\n'), 0o644)
}

func generate(dir, name string) error {
	from, to := filepath.Join(dir, "a-shim-grub-sb", name), filepath.Join(target, name)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, file := range []string{"eventlog.bin", "pcrs.txt"} {
		data, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, file), data, 0o644); err != nil {
			return err
		}
	}
	return writeManifest(dir, filepath.Join(from, "esp.json"), filepath.Join(to, "manifest.json"))
}

// manifest measures the files that a listing names, and checks that they are
// what was listed.
func manifest(dir, listing string) (bootchain.Manifest, error) {
	data, err := os.ReadFile(listing)
	if err != nil {
		return bootchain.Manifest{}, err
	}
	var listed map[string]struct {
		SHA256 string
		Size   int64
	}
	if err := json.Unmarshal(data, &listed); err != nil {
		return bootchain.Manifest{}, fmt.Errorf("%s: %w", listing, err)
	}
	tree := volume{dir: dir, files: make(map[string]string)}
	for path, want := range listed {
		tree.files[strings.TrimPrefix(path, "/")] = want.SHA256
	}
	v, err := bootchain.Measure(tree, nil, nil)
	if err != nil {
		return bootchain.Manifest{}, err
	}
	for path, want := range listed {
		if got := v.Files[path]; got.Size != want.Size || got.Digests[pcr.SHA256].String() != want.SHA256 {
			return bootchain.Manifest{}, fmt.Errorf("%s: not the file that was listed", path)
		}
	}
	v.UUID, v.FS = "CAFE-0001", "fat" // as the recordings' README says the file system was made
	m := bootchain.Manifest{Volumes: []bootchain.Volume{v}}
	return m, m.Check()
}
