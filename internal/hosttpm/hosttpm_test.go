package hosttpm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/hosttpm"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

var key = bytes.Repeat([]byte("key!"), store.KeySize/4)

// stays is a TPM that closing leaves open.
type stays struct{ *vtpmtest.TPM }

func (stays) Close() error { return nil }

func opener(tpm *vtpmtest.TPM) func() (transport.TPMCloser, error) {
	return func() (transport.TPMCloser, error) { return stays{tpm}, nil }
}

func policy(t *testing.T, tpm *vtpmtest.TPM, pcrs ...int) seal.Policy {
	t.Helper()
	sel := pcr.BankSelection{Bank: pcr.SHA256}
	for _, i := range pcrs {
		sel.PCRs = sel.PCRs.With(i)
	}
	values, err := seal.ReadPCRs(tpm, sel)
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal.NewBranch("now", values, sel)
	if err != nil {
		t.Fatal(err)
	}
	return seal.Policy{Bank: pcr.SHA256, Branches: []seal.Branch{b}}
}

// A sealed key opens on the TPM and in the boot that it was sealed for, and survives
// being written down.
func TestSealedKey(t *testing.T) {
	host := vtpmtest.Open(t)
	sealed, err := hosttpm.Seal(host, hosttpm.Key{Key: key, Counter: 0x0180B541}, policy(t, host, 7), nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err = hosttpm.ParseKey(file); err != nil {
		t.Fatal(err)
	}
	k, err := sealed.Open(host)
	if err != nil || !bytes.Equal(k.Key, key) || k.Counter != 0x0180B541 {
		t.Fatalf("opened %x with counter %v: %v", k.Key, k.Counter, err)
	}
	lying := *sealed
	lying.Counter = 0
	if _, err := lying.Open(host); err == nil || !strings.Contains(err.Error(), "counter") {
		t.Errorf("the counter was taken from the file: %v", err)
	}
	digest := tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: make([]byte, 32)}}}
	extend := tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: 7, Auth: tpm2.PasswordAuth(nil)}, Digests: digest}
	if _, err := extend.Execute(host); err != nil {
		t.Fatal(err)
	}
	var mismatch *seal.MismatchError
	if _, err := sealed.Open(host); !errors.As(err, &mismatch) {
		t.Errorf("in another boot: %v", err)
	}
}

// What is no sealed key is refused with a reason.
func TestParseKey(t *testing.T) {
	for _, bad := range []string{
		"", "{}", "null", "[]", `{"version":2}`, `{"version":1,"sealed":null}`, `{"version":1,"sealed":{}}`,
		`{"version":1,"key":"x"}`, `{"version":1,"sealed":{"version":1,"policy":{"pin":true}}}`, `{"version":1}{}`,
	} {
		if _, err := hosttpm.ParseKey([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}

// A counter counts a ledger; without the key it can neither be read nor moved, and made
// again it does not go back.
func TestCounter(t *testing.T) {
	host := vtpmtest.Open(t)
	index, err := hosttpm.DefineCounter(host, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := hosttpm.DefineCounter(host, key, nil)
	if err != nil || second == index {
		t.Fatalf("a second counter at %v, the first at %v: %v", second, index, err)
	}
	counter := newCounter(t, host, key, index)
	ledger, err := store.NewLedger(filepath.Join(t.TempDir(), "ledger"), key, counter)
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.Create(); err != nil {
		t.Fatal(err)
	}
	c := ledger.Counter("vm0")
	for n := range uint64(3) {
		if err := c.Advance(n); err != nil {
			t.Fatal(err)
		}
	}
	if count, err := c.Read(); err != nil || count != (store.Count{Value: 3, InUse: true}) {
		t.Errorf("count %v, %v", count, err)
	}
	before, err := counter.Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := counter.Advance(before.Value - 1); err == nil {
		t.Error("moved from a value of the past")
	}
	stranger := newCounter(t, host, bytes.Repeat([]byte{1}, store.KeySize), index)
	if _, err := stranger.Read(); err == nil || !strings.Contains(err.Error(), "another password") {
		t.Errorf("read without the key: %v", err)
	}
	if err := stranger.Advance(before.Value); err == nil {
		t.Error("moved without the key")
	}

	for _, i := range []uint32{uint32(second), uint32(index)} {
		if err := hosttpm.RemoveCounter(host, seal.Handle(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := counter.Read(); err == nil || !strings.Contains(err.Error(), "no such NV index") {
		t.Errorf("read what was removed: %v", err)
	}
	if again, err := hosttpm.DefineCounter(host, key, nil); err != nil || again != index {
		t.Fatalf("made again at %v: %v", again, err)
	}
	if after, err := counter.Read(); err != nil || after.Value <= before.Value {
		t.Errorf("made again, it stands at %d after %d: %v", after.Value, before.Value, err)
	}
	var rollback *store.RollbackError
	if _, err := c.Read(); !errors.As(err, &rollback) {
		t.Errorf("the ledger with a counter that was made again: %v", err)
	}
}

func newCounter(t *testing.T, host *vtpmtest.TPM, key []byte, index seal.Handle) *hosttpm.Counter {
	t.Helper()
	c, err := hosttpm.NewCounter(hosttpm.Key{Key: key, Counter: index}, opener(host))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// BenchmarkCounted opens and closes a counted state: what it costs to start and stop a
// vTPM. The host's TPM is ours; one in hardware takes 10 to 50 ms for each command.
func BenchmarkCounted(b *testing.B) {
	host := vtpmtest.Open(b)
	index, err := hosttpm.DefineCounter(host, key, nil)
	if err != nil {
		b.Fatal(err)
	}
	commands := 0
	tpm := counting{host, &commands}
	counter, err := hosttpm.NewCounter(hosttpm.Key{Key: key, Counter: index}, func() (transport.TPMCloser, error) { return tpm, nil })
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	ledger, err := store.NewLedger(filepath.Join(dir, "ledger"), key, counter)
	if err == nil {
		err = ledger.Create()
	}
	if err != nil {
		b.Fatal(err)
	}
	commands = 0
	for b.Loop() {
		s, err := store.OpenDirectoryOptions(filepath.Join(dir, "vm0"), store.Options{Key: key, Instance: "vm0", Counter: ledger.Counter("vm0")})
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(commands)/float64(b.N), "TPM-commands/op")
}

// counting counts the commands.
type counting struct {
	tpm *vtpmtest.TPM
	n   *int
}

func (c counting) Send(command []byte) ([]byte, error) {
	*c.n++
	return c.tpm.Send(command)
}

func (counting) Close() error { return nil }
