package keygen_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const (
	tpmMade = wire.ObjSensitiveDataOrigin | wire.ObjUserWithAuth
	parent  = tpmMade | wire.ObjRestricted | wire.ObjDecrypt
)

func template(typ wire.Alg, attributes wire.TPMAObject) *wire.TPMTPublic {
	pub := &wire.TPMTPublic{Type: typ, NameAlg: wire.AlgSHA256, ObjectAttributes: attributes}
	pub.Parameters.RSA.KeyBits = 2048
	pub.Parameters.ECC.CurveID = wire.CurveNISTP256
	pub.Parameters.Sym.Sym = wire.TPMTSymDefObject{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}
	pub.Parameters.KeyedHash.Scheme.Scheme = wire.AlgNull
	return pub
}

// With entropy from the system each object is new, and whole: its areas fit.
func TestFillFromEntropy(t *testing.T) {
	for _, typ := range []wire.Alg{wire.AlgRSA, wire.AlgECC, wire.AlgSymCipher, wire.AlgKeyedHash} {
		pub := template(typ, tpmMade|wire.ObjSign)
		a, uniqueA, err := keygen.Fill(rand.Reader, pub, &wire.TPMSSensitiveCreate{})
		if err != nil {
			t.Fatalf("%v: %v", typ, err)
		}
		b, _, err := keygen.Fill(rand.Reader, pub, &wire.TPMSSensitiveCreate{})
		if err != nil {
			t.Fatalf("%v: %v", typ, err)
		}
		if bytes.Equal(a.Sensitive, b.Sensitive) {
			t.Errorf("%v: the same secret twice", typ)
		}
		pub.Unique = uniqueA
		if _, err := crypt.NewPrivate(pub, &a); err != nil {
			t.Errorf("%v: the areas do not fit: %v", typ, err)
		}
	}
}

// A key that protects no children keeps no seed; objects without a public key
// need theirs to hide the secret in unique.
func TestFillKeepsSeedsWhereNeeded(t *testing.T) {
	for _, c := range []struct {
		typ        wire.Alg
		attributes wire.TPMAObject
		size       int
	}{
		{wire.AlgECC, parent, 32},
		{wire.AlgECC, tpmMade | wire.ObjSign, 0},
		{wire.AlgECC, tpmMade | wire.ObjRestricted | wire.ObjSign, 0},
		{wire.AlgECC, tpmMade | wire.ObjDecrypt, 0},
		{wire.AlgSymCipher, tpmMade | wire.ObjDecrypt, 32},
		{wire.AlgKeyedHash, tpmMade | wire.ObjSign, 32},
	} {
		sens, _, err := keygen.Fill(rand.Reader, template(c.typ, c.attributes), &wire.TPMSSensitiveCreate{})
		if err != nil {
			t.Fatal(err)
		}
		if len(sens.SeedValue) != c.size {
			t.Errorf("%v, attributes %x: a seed of %d bytes, want %d", c.typ, c.attributes, len(sens.SeedValue), c.size)
		}
	}
}

// The caller may erase its copies of what it gave.
func TestFillCopies(t *testing.T) {
	create := &wire.TPMSSensitiveCreate{UserAuth: []byte("auth"), Data: []byte("data")}
	sens, _, err := keygen.Fill(rand.Reader, template(wire.AlgKeyedHash, wire.ObjUserWithAuth), create)
	if err != nil {
		t.Fatal(err)
	}
	clear(create.UserAuth)
	clear(create.Data)
	if string(sens.AuthValue) != "auth" || string(sens.Sensitive) != "data" {
		t.Errorf("the sensitive area has %q and %q", sens.AuthValue, sens.Sensitive)
	}
}

func TestFillRefusals(t *testing.T) {
	const given = wire.ObjUserWithAuth
	with := func(pub *wire.TPMTPublic, change func(*wire.TPMTPublic)) *wire.TPMTPublic { change(pub); return pub }
	for _, c := range []struct {
		why  string
		pub  *wire.TPMTPublic
		data string
		want wire.RC
	}{
		{"an RSA exponent too small", with(template(wire.AlgRSA, tpmMade), func(p *wire.TPMTPublic) { p.Parameters.RSA.Exponent = 17 }), "", wire.RCRange},
		{"an RSA size", with(template(wire.AlgRSA, tpmMade), func(p *wire.TPMTPublic) { p.Parameters.RSA.KeyBits = 2000 }), "", wire.RCValue},
		{"a curve", with(template(wire.AlgECC, tpmMade), func(p *wire.TPMTPublic) { p.Parameters.ECC.CurveID = wire.Curve25519 }), "", wire.RCCurve},
		{"a key size that is not whole words", with(template(wire.AlgSymCipher, tpmMade), func(p *wire.TPMTPublic) { p.Parameters.Sym.Sym.KeyBits = 100 }), "", wire.RCKeySize},
		{"a key too short", template(wire.AlgSymCipher, given|wire.ObjDecrypt), "fifteen bytes..", wire.RCKeySize},
		{"a key too long", template(wire.AlgSymCipher, given|wire.ObjDecrypt), "seventeen bytes..", wire.RCKeySize},
		{"a TDES key whose parts are the same", with(template(wire.AlgSymCipher, given|wire.ObjDecrypt), func(p *wire.TPMTPublic) {
			p.Parameters.Sym.Sym = wire.TPMTSymDefObject{Algorithm: wire.AlgTDES, KeyBits: 128, Mode: wire.AlgCFB}
		}), "the partthe part", wire.RCKey},
		{"an HMAC key over a block", template(wire.AlgKeyedHash, given|wire.ObjSign), string(make([]byte, 65)), wire.RCSize},
		{"an unknown type", template(wire.AlgSHA256, tpmMade), "", wire.RCType},
	} {
		_, _, err := keygen.Fill(rand.Reader, c.pub, &wire.TPMSSensitiveCreate{Data: []byte(c.data)})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
	}
	// Data that is only sealed may be longer, and a block itself is fine.
	for attributes, n := range map[wire.TPMAObject]int{given: 128, given | wire.ObjSign: 64} {
		create := &wire.TPMSSensitiveCreate{Data: make([]byte, n)}
		if _, _, err := keygen.Fill(rand.Reader, template(wire.AlgKeyedHash, attributes), create); err != nil {
			t.Errorf("%d bytes with attributes %x: %v", n, attributes, err)
		}
	}
}

func TestFillReportsTheStream(t *testing.T) {
	broken := errors.New("broken")
	for _, typ := range []wire.Alg{wire.AlgECC, wire.AlgSymCipher, wire.AlgKeyedHash} {
		_, _, err := keygen.Fill(iotest.ErrReader(broken), template(typ, tpmMade), &wire.TPMSSensitiveCreate{})
		if !errors.Is(err, broken) {
			t.Errorf("%v: %v", typ, err)
		}
	}
}
