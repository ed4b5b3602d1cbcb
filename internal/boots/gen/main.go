// Command gen makes package boots' recordings from a folder that has the boots
// and the files that were booted:
//
//	go run ./internal/boots/gen DIR
//
// DIR has a-shim-grub-sb/BOOT/{eventlog.bin,pcrs.txt,esp.json}, and files/SHA256
// for each file that an esp.json lists as path: {sha256, size}. The files are
// large, so that only their manifests are kept.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
)

const target = "internal/boots/shim-grub-sb"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/boots/gen DIR, in the module's folder")
		os.Exit(2)
	}
	for _, name := range boots.Names() {
		if err := generate(os.Args[1], string(name)); err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
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
	m, err := manifest(dir, filepath.Join(from, "esp.json"))
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "manifest.json"), append(data, '\n'), 0o644)
}

// manifest measures the files that a listing names, and checks that they are
// what was listed.
func manifest(dir, listing string) (bootchain.Manifest, error) {
	m := bootchain.Manifest{Files: make(map[string]bootchain.File)}
	data, err := os.ReadFile(listing)
	if err != nil {
		return m, err
	}
	var listed map[string]struct {
		SHA256 string
		Size   int64
	}
	if err := json.Unmarshal(data, &listed); err != nil {
		return m, fmt.Errorf("%s: %w", listing, err)
	}
	for path, want := range listed {
		f, err := os.Open(filepath.Join(dir, "files", want.SHA256))
		if err != nil {
			return m, err
		}
		got, err := bootchain.MeasureFile(path, f)
		f.Close()
		if err != nil {
			return m, fmt.Errorf("%s: %w", path, err)
		}
		if got.Size != want.Size || got.Digests[pcr.SHA256].String() != want.SHA256 {
			return m, fmt.Errorf("%s: not the file that was listed", path)
		}
		m.Files[path] = got
	}
	return m, m.Check()
}
