package crypt_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// change returns k with a change to a copy of its areas.
func (k testKey) change(f func(pub *wire.TPMTPublic, sens *wire.TPMTSensitive)) testKey {
	pub, sens := *k.pub, *k.sens
	pub.Unique.RSA = bytes.Clone(pub.Unique.RSA)
	pub.Unique.ECC.X, pub.Unique.ECC.Y = bytes.Clone(pub.Unique.ECC.X), bytes.Clone(pub.Unique.ECC.Y)
	pub.Unique.Sym, pub.Unique.KeyedHash = bytes.Clone(pub.Unique.Sym), bytes.Clone(pub.Unique.KeyedHash)
	sens.Sensitive, sens.SeedValue = bytes.Clone(sens.Sensitive), bytes.Clone(sens.SeedValue)
	f(&pub, &sens)
	return testKey{&pub, &sens}
}

// Every kind of key is accepted as it is made, and when nameAlg is TPM_ALG_NULL
// with an unrelated public value, which then is nobody's claim. Not so RSA: its
// private operations need the modulus.
func TestNewPrivate(t *testing.T) {
	for name, k := range map[string]testKey{
		"RSA-2048": rsa2048(t), "RSA-1024, e=7": rsaKeyOf(t, prime1024P, prime1024Q, 7),
		"RSA, the other prime": rsaKeyOf(t, prime2048Q, prime2048P, 65537),
		"P-224":                eccKey(t, wire.CurveNISTP224, 1), "P-256": eccKey(t, wire.CurveNISTP256, 1),
		"P-384": eccKey(t, wire.CurveNISTP384, 1), "P-521": eccKey(t, wire.CurveNISTP521, 1),
		"HMAC": hmacKey(wire.AlgSHA256, []byte("key")), "AES": aesKey(make([]byte, 32)),
		"RSA parent": rsa2048(t).storage(), "ECC parent": eccKey(t, wire.CurveNISTP256, 1).storage(),
		"ECC point with short coordinates": eccKey(t, wire.CurveNISTP256, 1).change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) {
			pub.Unique.ECC.X = append([]byte{0}, pub.Unique.ECC.X...)
		}),
		"no nameAlg, another point": eccKey(t, wire.CurveNISTP256, 1).change(func(pub *wire.TPMTPublic, _ *wire.TPMTSensitive) {
			pub.NameAlg, pub.Unique.ECC.X = wire.AlgNull, nil
		}),
		"no nameAlg, another unique": aesKey(make([]byte, 16)).change(func(pub *wire.TPMTPublic, sens *wire.TPMTSensitive) {
			pub.NameAlg, pub.Unique.Sym, sens.SeedValue = wire.AlgNull, nil, nil
		}),
	} {
		p, err := crypt.NewPrivate(k.pub, k.sens)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(p.Sensitive(), k.sens.Sensitive) {
			t.Errorf("%s: another sensitive value", name)
		}
	}
}

func TestLoadPrivateErrors(t *testing.T) {
	blame := crypt.Blame{Public: 2, Sensitive: 1}
	type pub = *wire.TPMTPublic
	type sens = *wire.TPMTSensitive
	rsa, ecc := rsa2048(t), eccKey(t, wire.CurveNISTP256, 1)
	mac, aes := hmacKey(wire.AlgSHA256, []byte("key")), aesKey(make([]byte, 16))
	for _, tt := range []struct {
		why    string
		key    testKey
		change func(pub, sens)
		want   wire.RC
	}{
		{"types differ", rsa, func(_ pub, s sens) { s.SensitiveType = wire.AlgECC }, wire.RCType.Param(1)},
		{"authValue over the digest", rsa, func(_ pub, s sens) { s.AuthValue = make([]byte, 33) }, wire.RCSize.Param(1)},
		{"short modulus", rsa, func(p pub, _ sens) { p.Unique.RSA = p.Unique.RSA[1:] }, wire.RCKey.Param(2)},
		{"no modulus", rsa, func(p pub, _ sens) { p.Unique.RSA = nil }, wire.RCKey.Param(2)},
		{"modulus with a leading zero bit", rsa, func(p pub, _ sens) { p.Unique.RSA[0] &= 0x7F }, wire.RCKey.Param(2)},
		{"exponent 5", rsa, func(p pub, _ sens) { p.Parameters.RSA.Exponent = 5 }, wire.RCValue.Param(2)},
		{"even exponent", rsa, func(p pub, _ sens) { p.Parameters.RSA.Exponent = 65536 }, wire.RCRange.Param(2)},
		{"exponent over 31 bits", rsa, func(p pub, _ sens) { p.Parameters.RSA.Exponent = 1<<31 + 1 }, wire.RCRange.Param(2)},
		{"short prime", rsa, func(_ pub, s sens) { s.Sensitive = s.Sensitive[1:] }, wire.RCKeySize.Param(1)},
		{"no prime", rsa, func(_ pub, s sens) { s.Sensitive = nil }, wire.RCKeySize.Param(1)},
		{"prime with a leading zero bit", rsa, func(_ pub, s sens) { s.Sensitive[0] &= 0x7F }, wire.RCKeySize.Param(1)},
		{"prime that does not divide", rsa, func(_ pub, s sens) { s.Sensitive[127] ^= 2 }, wire.RCBinding},
		{"no prime divides, nameAlg or not", rsa, func(p pub, s sens) { p.NameAlg = wire.AlgNull; s.Sensitive[127] ^= 2 }, wire.RCBinding},
		{"exponent that divides p-1", rsaKeyOf(t, prime1024P, prime1024Q, 59), func(pub, sens) {}, wire.RCBinding},
		{"exponent that divides q-1", rsaKeyOf(t, prime2048P, prime2048Q, 573247), func(pub, sens) {}, wire.RCBinding},
		{"p twice", rsaKeyOf(t, prime2048P, prime2048P, 0), func(pub, sens) {}, wire.RCBinding},
		{"zero scalar", ecc, func(_ pub, s sens) { s.Sensitive = make([]byte, 32) }, wire.RCKeySize},
		{"scalar n", ecc, func(_ pub, s sens) { s.Sensitive = curves[wire.CurveNISTP256].Params().N.Bytes() }, wire.RCKeySize},
		{"scalar of 33 bytes", ecc, func(_ pub, s sens) { s.Sensitive = bytes.Repeat([]byte{1}, 33) }, wire.RCKeySize},
		{"another scalar", ecc, func(_ pub, s sens) { s.Sensitive[31] ^= 1 }, wire.RCBinding},
		{"another point", ecc, func(p pub, _ sens) { p.Unique.ECC.Y[31] ^= 1 }, wire.RCBinding},
		{"no point", ecc, func(p pub, _ sens) { p.Unique.ECC = wire.TPMSECCPoint{} }, wire.RCBinding},
		{"unknown curve", ecc, func(p pub, _ sens) { p.Parameters.ECC.CurveID = wire.Curve25519 }, wire.RCCurve},
		{"AES key of another size", aes, func(_ pub, s sens) { s.Sensitive = make([]byte, 24) }, wire.RCKeySize.Param(1)},
		{"HMAC key over the block", mac, func(_ pub, s sens) { s.Sensitive = make([]byte, 65) }, wire.RCKeySize.Param(1)},
		{"data over 128 bytes", mac, func(p pub, s sens) {
			p.Parameters.KeyedHash.Scheme.Scheme = wire.AlgNull
			s.Sensitive = make([]byte, 129)
		}, wire.RCKeySize.Param(1)},
		{"RSA scheme on a keyed hash object", mac, func(p pub, _ sens) { p.Parameters.KeyedHash.Scheme.Scheme = wire.AlgRSASSA }, wire.RCScheme.Param(2)},
		{"RSA parent without a seed, before the binding", rsa.storage(), func(_ pub, s sens) { s.SeedValue = nil; s.Sensitive[127] ^= 2 }, wire.RCSize.Param(1)},
		{"short seedValue", mac, func(_ pub, s sens) { s.SeedValue = s.SeedValue[1:] }, wire.RCKeySize.Param(1)},
		{"another unique", mac, func(p pub, _ sens) { p.Unique.KeyedHash[0] ^= 1 }, wire.RCBinding},
		{"no unique", aes, func(p pub, _ sens) { p.Unique.Sym = nil }, wire.RCBinding},
		{"another seedValue", aes, func(_ pub, s sens) { s.SeedValue[0] ^= 1 }, wire.RCBinding},
		{"parent with half a seed less one", ecc.storage(), func(_ pub, s sens) { s.SeedValue = s.SeedValue[:15] }, wire.RCSize.Param(1)},
		{"parent with too much of a seed", ecc.storage(), func(_ pub, s sens) { s.SeedValue = make([]byte, 33) }, wire.RCSize.Param(1)},
	} {
		k := tt.key.change(tt.change)
		if _, err := crypt.LoadPrivate(k.pub, k.sens, blame); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
		// Without blame it is the same code without a position.
		if _, err := crypt.NewPrivate(k.pub, k.sens); err != tt.want.Base() {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want.Base())
		}
	}
}

func TestValidatePublic(t *testing.T) {
	blame := crypt.Blame{Public: 2}
	type pub = *wire.TPMTPublic
	rsa, ecc, aes := rsa2048(t), eccKey(t, wire.CurveNISTP256, 1), aesKey(make([]byte, 16))
	for _, tt := range []struct {
		why    string
		key    testKey
		change func(pub)
		want   error
	}{
		{"RSA", rsa, func(pub) {}, nil},
		{"ECC", ecc, func(pub) {}, nil},
		{"AES", aes, func(pub) {}, nil},
		{"short modulus", rsa, func(p pub) { p.Unique.RSA = p.Unique.RSA[1:] }, wire.RCKey.Param(2)},
		{"exponent 3", rsa, func(p pub) { p.Parameters.RSA.Exponent = 3 }, wire.RCValue.Param(2)},
		{"short coordinate", ecc, func(p pub) { p.Unique.ECC.X = p.Unique.ECC.X[1:] }, wire.RCKey.Param(2)},
		{"long coordinate", ecc, func(p pub) { p.Unique.ECC.Y = append([]byte{0}, p.Unique.ECC.Y...) }, wire.RCKey.Param(2)},
		{"off the curve", ecc, func(p pub) { p.Unique.ECC.Y[31] ^= 1 }, wire.RCECCPoint.Param(2)},
		{"off the curve, but without a Name", ecc, func(p pub) { p.NameAlg = wire.AlgNull; p.Unique.ECC.Y[31] ^= 1 }, nil},
		{"short unique", aes, func(p pub) { p.Unique.Sym = p.Unique.Sym[1:] }, wire.RCKey.Param(2)},
	} {
		k := tt.key.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) { tt.change(p) })
		if err := crypt.ValidatePublic(k.pub, blame); !errors.Is(err, tt.want) || tt.want != nil && err != tt.want {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
}

// Of a parent the seed is the key of an HMAC, of any other object it is hashed.
func TestSymmetricUnique(t *testing.T) {
	k := aesKey(make([]byte, 16))
	want := crypt.Digest(wire.AlgSHA256, k.sens.SeedValue, k.sens.Sensitive)
	if got := crypt.SymmetricUnique(k.pub, k.sens); !bytes.Equal(got, want) {
		t.Errorf("child: %x, want %x", got, want)
	}
	k.pub.ObjectAttributes |= wire.ObjRestricted
	want = crypt.HMAC(wire.AlgSHA256, k.sens.SeedValue, k.sens.Sensitive)
	if got := crypt.SymmetricUnique(k.pub, k.sens); !bytes.Equal(got, want) {
		t.Errorf("parent: %x, want %x", got, want)
	}
}

// Clear leaves nothing in the bytes that a Private held, and the sensitive area
// that it was made from untouched.
func TestPrivateClear(t *testing.T) {
	k := hmacKey(wire.AlgSHA256, []byte("key"))
	p := k.private(t)
	held := p.Sensitive()
	p.Clear()
	if !bytes.Equal(held, make([]byte, 3)) || p.Sensitive() != nil {
		t.Errorf("left: %q", held)
	}
	if string(k.sens.Sensitive) != "key" {
		t.Error("the caller's area was cleared")
	}
}
