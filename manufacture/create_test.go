package manufacture_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
)

// records is a store that counts its commits, and can fail.
type records struct {
	kept    map[string][]byte
	commits int
	err     error
}

func (r *records) Load() (map[string][]byte, error) { return maps.Clone(r.kept), nil }

func (r *records) Commit(changes map[string][]byte) error {
	if r.err != nil {
		return r.err
	}
	r.commits++
	if r.kept == nil {
		r.kept = make(map[string][]byte)
	}
	for name, value := range changes {
		if value == nil {
			delete(r.kept, name)
			continue
		}
		r.kept[name] = slices.Clone(value)
	}
	return nil
}

func started(t *testing.T, s vtpm.Store) *vtpm.TPM {
	t.Helper()
	tpm, err := vtpm.New(vtpm.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	return tpm
}

func oneEK(c manufacture.Issuer) manufacture.Options {
	return manufacture.Options{
		EKs: []manufacture.EK{{Algorithm: manufacture.P384}}, EKCertificates: true, Issuer: c, PCRBanks: []pcr.Bank{pcr.SHA256},
	}
}

// A TPM is in the store with one commit, and starts with what it was given.
func TestCreate(t *testing.T) {
	c, s := newCA(t), new(records)
	r, err := manufacture.Create(vtpm.Options{Store: s}, oneEK(c))
	if err != nil {
		t.Fatal(err)
	}
	if s.commits != 1 {
		t.Errorf("%d commits: a power cut between them leaves half a TPM", s.commits)
	}
	tpm := started(t, s)
	wantHandles(t, tpm, 0x81010016)
	wantIndices(t, tpm, 0x01C00016)
	verified(t, c, readIndex(t, tpm, r.Certificates[0].Index))
	if have := activeBanks(t, tpm); !slices.Equal(have, []pcr.Bank{pcr.SHA256}) {
		t.Errorf("PCR banks %v", have)
	}
}

// What fails leaves no TPM, and one that was there as it was.
func TestCreateFails(t *testing.T) {
	full := errors.New("no space left on device")
	for _, c := range []struct {
		why   string
		err   error
		store *records
		o     manufacture.Options
	}{
		{"the disk is full", full, &records{err: full}, oneEK(newCA(t))},
		{"no certificate is issued", full, &records{}, oneEK(issuerFunc(func(manufacture.Request) ([]byte, error) { return nil, full }))},
		{"another TPM is there", full, &records{err: full, kept: map[string][]byte{"other": {1}}}, oneEK(newCA(t))},
	} {
		before := make(map[string][]byte) // a store may give out what it keeps: that must not change either
		for name, value := range c.store.kept {
			before[name] = slices.Clone(value)
		}
		if _, err := manufacture.Create(vtpm.Options{Store: c.store}, c.o); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.why, err)
		}
		if !maps.EqualFunc(before, c.store.kept, slices.Equal) {
			t.Errorf("%s: the store has changed", c.why)
		}
	}
}

// A new TPM replaces the old one and all of its records.
func TestCreateReplaces(t *testing.T) {
	s := &records{kept: map[string][]byte{"of the old one": {1}}}
	if _, err := manufacture.Create(vtpm.Options{Store: s}, oneEK(newCA(t))); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.kept["of the old one"]; ok {
		t.Error("the old TPM's records are still there")
	}
	started(t, s)
}

func TestReconfigure(t *testing.T) {
	s := new(records)
	if _, err := manufacture.Reconfigure(vtpm.Options{Store: s}, []pcr.Bank{pcr.SHA256}); err == nil || s.commits != 0 {
		t.Errorf("an empty store was reconfigured: %v", err)
	}
	if _, err := manufacture.Create(vtpm.Options{Store: s}, oneEK(newCA(t))); err != nil {
		t.Fatal(err)
	}
	ek := handleName(t, started(t, s), 0x81010016)
	if _, err := manufacture.Reconfigure(vtpm.Options{Store: s}, []pcr.Bank{pcr.SHA1, pcr.SHA512}); err != nil {
		t.Fatal(err)
	}
	s.err = errors.New("no space left on device")
	if _, err := manufacture.Reconfigure(vtpm.Options{Store: s}, []pcr.Bank{pcr.SHA384}); !errors.Is(err, s.err) {
		t.Errorf("with a full disk: %v", err)
	}
	s.err = nil
	tpm := started(t, s)
	if have := activeBanks(t, tpm); !slices.Equal(have, []pcr.Bank{pcr.SHA1, pcr.SHA512}) {
		t.Errorf("PCR banks %v", have)
	}
	if !slices.Equal(handleName(t, tpm, 0x81010016), ek) {
		t.Error("the endorsement key is another one")
	}
}

// BenchmarkCreate makes a TPM on a disk: new seeds, endorsement keys with certificates, one
// commit.
func BenchmarkCreate(b *testing.B) {
	c := newCA(b)
	for _, k := range [][]manufacture.EK{
		{{Algorithm: manufacture.P256}}, {{Algorithm: manufacture.P384}},
		{{Algorithm: manufacture.RSA2048}}, {{Algorithm: manufacture.RSA2048}, {Algorithm: manufacture.P384}},
	} {
		name := ""
		for _, k := range k {
			name += "+" + k.String()
		}
		b.Run(name[1:], func(b *testing.B) {
			for b.Loop() {
				d, err := store.OpenDirectory(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				o := manufacture.Options{EKs: k, EKCertificates: true, PlatformCertificate: true, Issuer: c, LockNV: true}
				if _, err := manufacture.Create(vtpm.Options{Store: d}, o); err != nil {
					b.Fatal(err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
