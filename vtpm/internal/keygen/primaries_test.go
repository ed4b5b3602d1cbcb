package keygen_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// hexBytes is a string of hexadecimal digits in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// primary is a primary object that another implementation made.
type primary struct {
	Comment   string
	Hierarchy string
	Seed      hexBytes
	SHProof   hexBytes // in the endorsement hierarchy
	EHProof   hexBytes // in the endorsement hierarchy
	Auth      hexBytes // inSensitive.userAuth
	Data      hexBytes // inSensitive.data
	Template  hexBytes // TPMT_PUBLIC
	Public    hexBytes // TPMT_PUBLIC
	Sensitive hexBytes // TPMT_SENSITIVE, of an object that could be duplicated
}

func primaries(t *testing.T) []primary {
	t.Helper()
	b, err := os.ReadFile("testdata/primaries.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []primary
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// proofs returns what else the hierarchy's seedValues depend on.
func (p *primary) proofs() [][]byte {
	if p.Hierarchy != "endorsement" {
		return nil
	}
	return [][]byte{p.SHProof, p.EHProof}
}

// padded returns auth as TPM2_CreatePrimary stores it: with zeros up to the
// digest size of the Name's hash.
func padded(auth []byte, nameAlg wire.Alg) wire.TPM2BAuth {
	return append(auth, make([]byte, crypt.Size(nameAlg)-len(auth))...)
}

// limits are those of the engine, and what the recorded TPM had beside them.
func limits() *wire.Limits {
	l := wire.DefaultLimits()
	l.Curves = append(l.Curves, wire.CurveNISTP192, wire.CurveBNP638)
	l.Ciphers = append(l.Ciphers,
		wire.Cipher{Alg: wire.AlgTDES, KeyBits: []uint16{128, 192}},
		wire.Cipher{Alg: wire.AlgCamellia, KeyBits: []uint16{128, 256}})
	return l
}

// From the seeds of a swtpm, Version 1 makes the primary objects of that swtpm:
// the public areas, and the sensitive areas as far as they could be seen.
func TestPrimariesOfSwtpm(t *testing.T) {
	for _, p := range primaries(t) {
		t.Run(p.Comment, func(t *testing.T) {
			var pub wire.TPMTPublic
			if err := wire.Unmarshal(p.Template, &pub, limits()); err != nil {
				t.Fatal(err)
			}
			create := &wire.TPMSSensitiveCreate{UserAuth: padded(p.Auth, pub.NameAlg), Data: wire.TPM2BSensitiveData(p.Data)}
			sens, unique, err := keygen.Primary(keygen.Seed{Secret: p.Seed, Version: keygen.Version}, &pub, create, p.proofs()...)
			if err != nil {
				t.Fatal(err)
			}
			if got := wire.Marshal(pub); !bytes.Equal(got, p.Template) {
				t.Error("the template was changed")
			}
			pub.Unique = unique
			if got := wire.Marshal(pub); !bytes.Equal(got, p.Public) {
				t.Errorf("public area\n%x, want\n%x", got, p.Public)
			}
			if got := wire.Marshal(sens); p.Sensitive != nil && !bytes.Equal(got, p.Sensitive) {
				t.Errorf("sensitive area\n%x, want\n%x", got, p.Sensitive)
			}
			if _, err := crypt.NewPrivate(&pub, &sens); err != nil {
				t.Errorf("the two areas do not fit: %v", err)
			}
		})
	}
}
