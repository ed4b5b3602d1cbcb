package engine

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// derivation counts how often a key is really derived. Each time it is another one, so
// that a remembered key shows.
type derivation struct {
	h     Hierarchy
	count byte
}

func newDerivation(t *testing.T) *derivation {
	t.Helper()
	d := new(derivation)
	if err := d.h.Renew(random); err != nil {
		t.Fatal(err)
	}
	return d
}

func random(n int) ([]byte, error) {
	b := make([]byte, n)
	rand.Read(b)
	return b, nil
}

func rsaTemplate(unique byte) *wire.TPMTPublic {
	return &wire.TPMTPublic{Type: wire.AlgRSA, NameAlg: wire.AlgSHA256, Unique: wire.TPMUPublicID{RSA: []byte{unique}}}
}

// key derives the key of a template, and erases it as an object that goes away does.
func (d *derivation) key(t *testing.T, template *wire.TPMTPublic, data string, proofs ...[]byte) byte {
	t.Helper()
	sens, unique, err := d.h.Derive(template, []byte(data), proofs, func() (wire.TPMTSensitive, wire.TPMUPublicID, error) {
		d.count++
		return wire.TPMTSensitive{SensitiveType: template.Type, Sensitive: []byte{d.count}, SeedValue: []byte{d.count}}, wire.TPMUPublicID{RSA: []byte{d.count}}, nil
	})
	if err != nil || len(sens.AuthValue) != 0 || sens.SensitiveType != template.Type || !bytes.Equal(sens.Sensitive, unique.RSA) || !bytes.Equal(sens.Sensitive, sens.SeedValue) {
		t.Fatalf("derive: %+v, %+v, %v", sens, unique, err)
	}
	number := sens.Sensitive[0]
	clear(sens.Sensitive)
	clear(sens.SeedValue)
	clear(unique.RSA)
	return number
}

func TestPrimariesAreRemembered(t *testing.T) {
	d := newDerivation(t)
	first := d.key(t, rsaTemplate(1), "data", []byte("proof"))
	for range 2 {
		if d.key(t, rsaTemplate(1), "data", []byte("proof")) != first {
			t.Fatal("the same template was derived again")
		}
	}
	for name, other := range map[string]byte{
		"another template": d.key(t, rsaTemplate(2), "data", []byte("proof")),
		"other data":       d.key(t, rsaTemplate(1), "datb", []byte("proof")),
		"another proof":    d.key(t, rsaTemplate(1), "data", []byte("prooq")),
		"no proof":         d.key(t, rsaTemplate(1), "dataproof"),
	} {
		if other == first {
			t.Errorf("%s gave the same key", name)
		}
	}
}

// What is quick to derive is not kept.
func TestPrimariesOfOtherTypes(t *testing.T) {
	d := newDerivation(t)
	template := &wire.TPMTPublic{Type: wire.AlgECC, NameAlg: wire.AlgSHA256}
	if first := d.key(t, template, ""); d.key(t, template, "") == first {
		t.Error("an ECC key was remembered")
	}
}

// The latest are kept, the others erased.
func TestPrimariesAreFew(t *testing.T) {
	d := newDerivation(t)
	oldest := d.key(t, rsaTemplate(0), "")
	kept := d.h.primaries[0].sensitive.Sensitive
	for i := byte(1); i <= rememberedPrimaries; i++ {
		d.key(t, rsaTemplate(i), "")
	}
	if len(d.h.primaries) != rememberedPrimaries {
		t.Errorf("%d keys are remembered", len(d.h.primaries))
	}
	if kept[0] != 0 {
		t.Error("a key that is not remembered is left in memory")
	}
	before := d.count
	for i := byte(rememberedPrimaries); i > 0; i-- {
		d.key(t, rsaTemplate(i), "")
	}
	if d.count != before {
		t.Error("one of the latest keys was derived again")
	}
	if d.key(t, rsaTemplate(0), "") == oldest {
		t.Error("the oldest key was remembered")
	}
}

// A new seed, a new proof and a state that takes this one's place each forget.
func TestPrimariesAreForgotten(t *testing.T) {
	for name, change := range map[string]func(*Hierarchies) error{
		"new seed":  func(h *Hierarchies) error { return h.Owner.Renew(random) },
		"new proof": func(h *Hierarchies) error { return h.Owner.RenewProof(random) },
		"another state": func(h *Hierarchies) error {
			var w wire.Writer
			h.writePersistent(&w)
			r := wire.NewReader(w.Data(), &wire.Limits{})
			h.readPersistent(r)
			return r.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h Hierarchies
			if err := h.manufacture(random); err != nil {
				t.Fatal(err)
			}
			d := &derivation{h: h.Owner}
			d.key(t, rsaTemplate(1), "")
			kept := d.h.primaries[0].sensitive.Sensitive
			h.Owner = d.h
			if err := change(&h); err != nil {
				t.Fatal(err)
			}
			if kept[0] != 0 || h.Owner.primaries != nil {
				t.Error("the key is still in memory")
			}
		})
	}
}
