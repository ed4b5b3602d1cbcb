// Package boots has recordings of real boots: one machine (OVMF under QEMU with
// swtpm, Secure Boot on with Microsoft's keys; Debian 12's shim 16.1, GRUB 2.06
// and kernels) that was booted twice on kernel 6.1.0-54, and then upgraded to
// 6.1.0-56. The firmware's variables and the TPM were kept from boot to boot.
package boots

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

//go:embed shim-grub-sb
var files embed.FS

const chain = "shim-grub-sb"

// Name names a recorded boot.
type Name string

// The boots, in their order.
const (
	First    Name = "1-k54-firstboot" // kernel 6.1.0-54, new TPM and variables
	Second   Name = "2-k54-second"    // the same again
	Upgraded Name = "3-k56-upgraded"  // kernel 6.1.0-56
)

// Names returns the boots in their order.
func Names() []Name { return []Name{First, Second, Upgraded} }

// Boot is a recording.
type Boot struct {
	Name Name
	// LogBytes is the event log as the kernel offered it, Log the same parsed.
	LogBytes []byte
	Log      *eventlog.Log
	// PCRs are the values of all PCRs in four banks, read in the initial ramdisk.
	PCRs pcr.Values
	// Manifest describes the files on the volume that was booted from.
	Manifest bootchain.Manifest
}

// Load returns a recording, a copy of its own for every call.
func Load(name Name) (*Boot, error) {
	dir, err := fs.Sub(files, chain)
	if err != nil {
		return nil, err
	}
	return LoadFrom(dir, name)
}

// LoadFrom returns a recording from a directory that has a folder for each boot,
// with the files eventlog.bin, pcrs.txt and manifest.json.
func LoadFrom(dir fs.FS, name Name) (*Boot, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("there is no recorded boot %q", name)
	}
	b := &Boot{Name: name}
	parts := []struct {
		file  string
		parse func(data []byte) error
	}{
		{"eventlog.bin", func(data []byte) (err error) {
			b.LogBytes = data
			b.Log, err = eventlog.Parse(slices.Clone(data), eventlog.Limits{})
			return err
		}},
		{"pcrs.txt", func(data []byte) (err error) {
			b.PCRs, err = pcr.ParseValues(bytes.NewReader(data))
			return err
		}},
		{"manifest.json", func(data []byte) (err error) {
			b.Manifest, err = bootchain.ReadManifest(bytes.NewReader(data))
			return err
		}},
	}
	for _, p := range parts {
		data, err := fs.ReadFile(dir, path.Join(string(name), p.file))
		if err == nil {
			err = p.parse(data)
		}
		if err != nil {
			return nil, fmt.Errorf("recorded boot %s: %s: %w", name, p.file, err)
		}
	}
	return b, nil
}
