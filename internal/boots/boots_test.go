package boots_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
)

// Log and PCR values of a recording agree in all banks.
func TestRecordingsAgree(t *testing.T) {
	for _, name := range boots.Names() {
		b, err := boots.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := eventlog.Verify(b.Log, b.PCRs)
		if err != nil || !eventlog.Verified(verdicts) {
			t.Errorf("%s: log and PCRs do not agree: %v", name, err)
		}
		if got := b.PCRs.Banks(); !slices.Equal(got, pcr.Banks()) {
			t.Errorf("%s: banks %v", name, got)
		}
	}
}

// The firmware measured the Authenticode digests that the manifests have, in all
// banks: this is what our own computation is held against.
func TestAuthenticodeIsTheFirmwares(t *testing.T) {
	for _, name := range boots.Names() {
		b, err := boots.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		programs := 0
		for path, f := range b.Manifest.Volumes[0].Files {
			if f.Program == nil {
				continue
			}
			programs++
			if !measured(b.Log, f.Program) {
				t.Errorf("%s: no event of PCR 4 has the digests of %s", name, path)
			}
		}
		if programs != 3 {
			t.Errorf("%s: %d programs, want shim, GRUB and kernel", name, programs)
		}
	}
}

func measured(l *eventlog.Log, p *bootchain.Program) bool {
	return slices.ContainsFunc(l.Events, func(e eventlog.Event) bool {
		for _, bank := range pcr.Banks() {
			if !bytes.Equal(e.Digests[bank], p.Authenticode[bank]) {
				return false
			}
		}
		return e.PCR == 4
	})
}

// A caller may change what it gets: the next one is not affected.
func TestLoadCopies(t *testing.T) {
	b, err := boots.Load(boots.First)
	if err != nil {
		t.Fatal(err)
	}
	b.LogBytes[0] ^= 1
	b.Log.Events[1].Digests[pcr.SHA256][0] ^= 1
	again, err := boots.Load(boots.First)
	if err != nil || again.LogBytes[0] == b.LogBytes[0] {
		t.Errorf("the recording was changed, %v", err)
	}
	if _, err := boots.Load("../1-k54-firstboot"); err == nil {
		t.Error("there is a boot that is not in the list")
	}
}
