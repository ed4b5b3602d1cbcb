package predict_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/gpt"
	"github.com/bootseal/bootseal/lab/matrix"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// fresh is a machine that was changed from boot to boot. what[i] happened before
// boot i+1.
type fresh struct {
	name, title string
	what        []string
}

func freshMachines() []fresh {
	return []fresh{
		{"sdboot", "systemd-boot 252, several entries; Secure Boot off", []string{
			"an entry with a newer kernel is added",
			"loader.conf names the older entry as default; the newer gets a counter of tries",
			"no default, the newer entry has no tries left; two partitions are added",
		}},
		{"grub", "shim 16.1, GRUB 2.06 with a menu as Debian makes it; Secure Boot on", []string{
			"the default is an entry of the submenu, which saves itself in a new grubenv",
			"the default is the saved entry, next_entry in grubenv names another; options with quotes",
		}},
		{"uki", "systemd-boot 252, unified kernel images; Secure Boot off", []string{
			"another image, with a credential, a system extension and a global credential beside it",
			"the image itself in place of systemd-boot, as BOOTX64.EFI",
		}},
		{"ukisb", "systemd-boot 252, signed unified kernel images; Secure Boot on", []string{
			"another image is added",
			"an image itself in place of systemd-boot, as BOOTX64.EFI",
		}},
		{"two", "systemd-boot 252, signed kernel; Secure Boot on", []string{"the entry gets a second initial ramdisk"}},
		{"revoked", "signed unified kernel images of two boot options; Secure Boot on", []string{
			"the image of the first boot option is revoked in dbx",
		}},
		{"shimsd", "shim 16.1 starts systemd-boot 252; Secure Boot off", []string{"an entry with a newer kernel is added"}},
	}
}

// freshBoot is one boot of such a machine.
type freshBoot struct {
	in   predict.Input // of the boot after it, without files
	pcrs pcr.Values
	file bootchain.Manifest
	gpt  *gpt.Table
}

func loadFresh(t testing.TB, machine string, boot int) freshBoot {
	t.Helper()
	var b freshBoot
	read := func(name string, parse func(io.Reader) error) {
		f, err := os.Open(filepath.Join("testdata", "fresh", machine, fmt.Sprint(boot), name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err == nil {
			err = parse(z)
		}
		if err != nil {
			t.Fatalf("%s %d: %s: %v", machine, boot, name, err)
		}
	}
	read("eventlog.bin", func(r io.Reader) (err error) { b.in.Log, err = eventlog.Read(r, eventlog.Limits{}); return err })
	read("efivars.json", func(r io.Reader) (err error) { b.in.Vars, err = efivars.Parse(r); return err })
	read("pcrs.txt", func(r io.Reader) (err error) { b.pcrs, err = pcr.ParseValues(r); return err })
	read("manifest.json", func(r io.Reader) (err error) { b.file, err = bootchain.ReadManifest(r); return err })
	read("gpt.bin", func(r io.Reader) error {
		data, err := io.ReadAll(r)
		if err == nil {
			b.gpt, err = gpt.Read(bytes.NewReader(data))
		}
		return err
	})
	b.in.PCRs = b.pcrs
	return b
}

// freshRows holds each boot against its prediction from the one before.
func freshRows(t *testing.T, sb *strings.Builder) {
	for _, m := range freshMachines() {
		matrix.PrintHead(sb, m.title, "change")
		for i, what := range m.what {
			from, to := loadFresh(t, m.name, i), loadFresh(t, m.name, i+1)
			in := from.in
			in.Files, in.GPT = to.file, to.gpt
			row := matrix.Compare(predictFirst(t, in), to.pcrs, nil)
			for index, cell := range row.PCRs {
				if cell != matrix.Right {
					t.Errorf("%s, %s: PCR %s: %s: %s %v", m.name, what, index, cell, row.What, row.Doubts)
				}
			}
			matrix.PrintRow(sb, what, row.Cell)
		}
	}
}
