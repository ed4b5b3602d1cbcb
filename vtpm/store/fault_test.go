package store_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
)

// TestTPMOnFailingDisk plays a TPM's life while operations of its disk fail, once and for
// some time. The TPM answers TPM_RC_NV_UNAVAILABLE to what it could not keep, the same
// command works when the disk does, and at the end everything that was acknowledged is
// there, once: a command that was refused has changed nothing.
func TestTPMOnFailingDisk(t *testing.T) {
	d := newDisk()
	if done := live(t, mustOpen(t, d)); done != len(life) {
		t.Fatalf("the life ended after %d steps", done)
	}
	refused, step := 0, 1
	if testing.Short() {
		step = 5
	}
	for at := 0; at < d.ops; at += step {
		for _, length := range []int{1, 4, 12} {
			errno := []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS}[(at+length)%3]
			d := newDisk()
			d.fail = func(op int, _ string) error {
				if op >= at && op < at+length {
					return errno
				}
				return nil
			}
			refused += liveWith(t, d)
			d.fail = nil
			revive(t, d.restart(cuts(0)[0]), len(life))
		}
	}
	if refused < d.ops/step {
		t.Errorf("%d commands were refused in all", refused)
	}
	t.Logf("%d operations, %d commands refused", d.ops, refused)
}

// liveWith plays the life, each step until it is acknowledged, and returns how often one
// was refused.
func liveWith(t *testing.T, d *disk) (refused int) {
	t.Helper()
	s := mustOpen(t, d)
	m, err := powerOn(s)
	for ; err != nil; refused++ {
		if refused == 20 {
			t.Fatalf("power on: %v", err)
		}
		m, err = powerOn(s)
	}
	counted := uint64(0)
	for _, step := range life {
		for {
			m.nameErr = nil
			err := step.do(m)
			if kind, ok := shutdowns[step.name]; ok && errors.Is(err, tpm2.TPMRCInitialize) {
				err = m.startup(kind) // only that was refused
			}
			if err == nil {
				break
			}
			if refused++; !errors.Is(errors.Join(err, m.nameErr), tpm2.TPMRCNVUnavailable) || refused > 100 {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		if strings.HasPrefix(step.name, "count") {
			counted++
		}
	}
	value, err := m.read(counterIndex, 8, "")
	if err != nil || binary.BigEndian.Uint64(value) != counted {
		t.Fatalf("the counter is %x, want %d: %v", value, counted, err)
	}
	return refused
}

// shutdowns are the steps of the life that start the TPM again, and how.
var shutdowns = map[string]tpm2.TPMSU{
	"shut down with state": tpm2.TPMSUState, "shut down": tpm2.TPMSUClear, "shut down for good": tpm2.TPMSUClear,
}

// TestReadOnlyDisk: a state that cannot be written does not open, and says why; it is not
// taken for a missing one.
func TestReadOnlyDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountTmpfs(dir); err != nil {
		t.Skipf("needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	state := filepath.Join(dir, "vm0")
	d, err := store.OpenDirectory(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if err := remountReadOnly(dir); err != nil {
		t.Skipf("cannot make it read-only: %v", err)
	}
	for _, place := range []string{state, filepath.Join(dir, "vm1")} {
		if _, err := store.OpenDirectory(place); !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", place, err)
		}
	}
}
