package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// sha256Info is the DigestInfo of SHA-256 up to the digest (RFC 8017, 9.2).
const sha256Info = "3031300d060960864801650304020105000420"

// A signature is not valid because a digest is found somewhere in it. Each block
// is encrypted with the private key itself, so that nothing but the padding is
// wrong.
func TestVerifyForgedPadding(t *testing.T) {
	k := rsaKeyOf(t, prime1024P, prime1024Q, 7)
	p := k.private(t)
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	info := append(unhex(t, sha256Info), digest...)
	noNull := append(unhex(t, "302f300b0609608648016503040201"+"0420"), digest...)
	block := func(head byte, fill byte, tail []byte, garbage int) []byte {
		b := bytes.Repeat([]byte{fill}, 128)
		b[0], b[1] = 0, head
		end := 128 - garbage
		copy(b[end-len(tail):], tail)
		b[end-len(tail)-1] = 0
		return b
	}
	for _, tt := range []struct {
		why   string
		block []byte
		want  error
	}{
		{"as it should be", block(1, 0xFF, info, 0), nil},
		{"eight bytes of padding, then garbage after the digest", block(1, 0xFF, info, 128-len(info)-11), wire.RCSignature},
		{"one byte of garbage after the digest", block(1, 0xFF, info, 1), wire.RCSignature},
		{"padding of zeros", block(1, 0, info, 0), wire.RCSignature},
		{"padding for encryption", block(2, 0xFF, info, 0), wire.RCSignature},
		{"no NULL in the DigestInfo", block(1, 0xFF, noNull, 0), wire.RCSignature},
		{"digest without DigestInfo", block(1, 0xFF, digest, 0), wire.RCSignature},
		{"a zero in the padding", func() []byte { b := block(1, 0xFF, info, 0); b[5] = 0; return b }(), wire.RCSignature},
	} {
		sig, err := crypt.RSADecrypt(k.pub, p, wire.AlgNull, wire.AlgNull, nil, tt.block)
		if err != nil {
			t.Fatalf("%s: %v", tt.why, err)
		}
		err = crypt.Verify(k.pub, nil, digest, &wire.TPMTSignature{SigAlg: wire.AlgRSASSA, Hash: wire.AlgSHA256, RSA: sig})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
}

func TestVerifyErrors(t *testing.T) {
	type sig = *wire.TPMTSignature
	rsaKey, ecc, mac, aes := rsa2048(t), eccKey(t, wire.CurveNISTP256, 1), hmacKey(wire.AlgSHA256, []byte("k")), aesKey(make([]byte, 16))
	n := curves[wire.CurveNISTP256].Params().N.Bytes()
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	for _, tt := range []struct {
		why    string
		key    testKey
		scheme wire.Alg
		change func(sig)
		want   wire.RC
	}{
		{"short RSA signature", rsaKey, wire.AlgRSASSA, func(s sig) { s.RSA = s.RSA[1:] }, wire.RCSignature},
		{"RSA signature with a leading zero", rsaKey, wire.AlgRSAPSS, func(s sig) { s.RSA = append([]byte{0}, s.RSA...) }, wire.RCSignature},
		{"empty RSA signature", rsaKey, wire.AlgRSAPSS, func(s sig) { s.RSA = nil }, wire.RCSignature},
		{"RSA signature over the modulus", rsaKey, wire.AlgRSASSA, func(s sig) { s.RSA = bytes.Repeat([]byte{0xFF}, 256) }, wire.RCSignature},
		{"one bit", rsaKey, wire.AlgRSASSA, func(s sig) { s.RSA[100] ^= 1 }, wire.RCSignature},
		{"one bit", rsaKey, wire.AlgRSAPSS, func(s sig) { s.RSA[100] ^= 1 }, wire.RCSignature},
		{"RSASSA as RSAPSS", rsaKey, wire.AlgRSASSA, func(s sig) { s.SigAlg = wire.AlgRSAPSS }, wire.RCSignature},
		{"another hash", rsaKey, wire.AlgRSASSA, func(s sig) { s.Hash = wire.AlgSHA3256 }, wire.RCSignature},
		{"no hash", rsaKey, wire.AlgRSASSA, func(s sig) { s.Hash = wire.AlgNull }, wire.RCSignature},
		{"RSA key, ECC scheme", rsaKey, wire.AlgRSASSA, func(s sig) { s.SigAlg = wire.AlgECDSA }, wire.RCScheme},
		{"RSA key, HMAC", rsaKey, wire.AlgRSASSA, func(s sig) { s.SigAlg = wire.AlgHMAC }, wire.RCScheme},
		{"RSA key, null signature", rsaKey, wire.AlgRSASSA, func(s sig) { s.SigAlg = wire.AlgNull }, wire.RCScheme},
		{"r of zero", ecc, wire.AlgECDSA, func(s sig) { s.R = make([]byte, 32) }, wire.RCSignature},
		{"empty s", ecc, wire.AlgECDSA, func(s sig) { s.S = nil }, wire.RCSignature},
		{"r of n", ecc, wire.AlgECDSA, func(s sig) { s.R = n }, wire.RCSignature},
		{"s over n", ecc, wire.AlgECDSA, func(s sig) { s.S = bytes.Repeat([]byte{0xFF}, 32) }, wire.RCSignature},
		{"s of 66 bytes", ecc, wire.AlgECDSA, func(s sig) { s.S = bytes.Repeat([]byte{1}, 66) }, wire.RCSignature},
		{"r and s swapped", ecc, wire.AlgECDSA, func(s sig) { s.R, s.S = s.S, s.R }, wire.RCSignature},
		{"ECC key, RSA scheme", ecc, wire.AlgECDSA, func(s sig) { s.SigAlg = wire.AlgRSASSA }, wire.RCScheme},
		{"one bit of an HMAC", mac, wire.AlgHMAC, func(s sig) { s.HMAC[0] ^= 1 }, wire.RCSignature},
		{"short HMAC", mac, wire.AlgHMAC, func(s sig) { s.HMAC = s.HMAC[:31] }, wire.RCSignature},
		{"empty HMAC", mac, wire.AlgHMAC, func(s sig) { s.HMAC = nil }, wire.RCSignature},
		{"genuine HMAC, but by a weaker hash than the key's", mac, wire.AlgHMAC, func(s sig) {
			s.Hash, s.HMAC = wire.AlgSHA1, crypt.HMAC(wire.AlgSHA1, []byte("k"), digest)
		}, wire.RCSignature},
		{"HMAC key, RSA scheme", mac, wire.AlgHMAC, func(s sig) { s.SigAlg = wire.AlgRSASSA }, wire.RCScheme},
		{"HMAC without a hash", mac, wire.AlgHMAC, func(s sig) { s.Hash = wire.AlgNull }, wire.RCScheme},
		{"cipher key", aes, wire.AlgNull, func(s sig) { s.SigAlg = wire.AlgHMAC }, wire.RCScheme},
	} {
		p := tt.key.private(t)
		s, err := crypt.Sign(rand.Reader, tt.key.pub, p, scheme(tt.scheme, wire.AlgSHA256), digest)
		if err != nil {
			t.Fatalf("%s: %v", tt.why, err)
		}
		tt.change(&s)
		if err := crypt.Verify(tt.key.pub, p, digest, &s); !errors.Is(err, tt.want) {
			t.Errorf("%v, %s: %v, want %v", tt.scheme, tt.why, err, tt.want)
		}
	}
}

// The public part of an HMAC key verifies nothing: the handle is wrong, not the
// signature.
func TestVerifyHMACPublicOnly(t *testing.T) {
	k := hmacKey(wire.AlgSHA256, []byte("k"))
	sig := &wire.TPMTSignature{SigAlg: wire.AlgHMAC, Hash: wire.AlgSHA256, HMAC: make([]byte, 32)}
	if err := crypt.Verify(k.pub, nil, nil, sig); !errors.Is(err, wire.RCHandle) {
		t.Errorf("%v, want %v", err, wire.RCHandle)
	}
}

// Public areas that LoadExternal lets in without a Name may hold anything.
func TestVerifyWithBrokenPublicKey(t *testing.T) {
	digest := crypt.Digest(wire.AlgSHA256, nil)
	k := rsa2048(t)
	rsaSig, err := crypt.Sign(rand.Reader, k.pub, k.private(t), scheme(wire.AlgRSASSA, wire.AlgSHA256), digest)
	if err != nil {
		t.Fatal(err)
	}
	e := eccKey(t, wire.CurveNISTP256, 1)
	eccSig, err := crypt.Sign(rand.Reader, e.pub, e.private(t), scheme(wire.AlgECDSA, wire.AlgSHA256), digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		why    string
		key    testKey
		sig    wire.TPMTSignature
		change func(*wire.TPMTPublic)
	}{
		{"even modulus", k, rsaSig, func(p *wire.TPMTPublic) { p.Unique.RSA[255] &^= 1 }},
		{"even exponent", k, rsaSig, func(p *wire.TPMTPublic) { p.Parameters.RSA.Exponent = 65536 }},
		{"point off the curve", e, eccSig, func(p *wire.TPMTPublic) { p.Unique.ECC.X[0] ^= 1 }},
		{"no point", e, eccSig, func(p *wire.TPMTPublic) { p.Unique.ECC = wire.TPMSECCPoint{} }},
		{"long coordinate", e, eccSig, func(p *wire.TPMTPublic) { p.Unique.ECC.X = bytes.Repeat([]byte{1}, 66) }},
		{"unknown curve", e, eccSig, func(p *wire.TPMTPublic) { p.Parameters.ECC.CurveID = wire.Curve25519 }},
	} {
		bad := tt.key.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) { tt.change(p) })
		if err := crypt.Verify(bad.pub, nil, digest, &tt.sig); !errors.Is(err, wire.RCSignature) {
			t.Errorf("%s: %v", tt.why, err)
		}
	}
}

// fuzzECDSA is a TPMT_SIGNATURE of FuzzVerify's digest. It is a constant because
// ECDSA is randomized and every fuzzing process has to know the same one.
const fuzzECDSA = "0018000b0020ff4c82e9c3ebecada4274bcd8ba35be5ea29c0253f7bf5a5fcbfa583270b2b870020dbec9817eec18c77c1b6b71c8c0315e0e90fcf190448c61478a22de5722708d6"

// No signature is accepted but those that were made, and none panics.
func FuzzVerify(f *testing.F) {
	keys := []testKey{rsaKeyOf(f, prime1024P, prime1024Q, 7), eccKey(f, wire.CurveNISTP256, 1), hmacKey(wire.AlgSHA256, []byte("k"))}
	privates := make([]*crypt.Private, len(keys))
	for i, k := range keys {
		privates[i] = k.private(f)
	}
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	limits := wire.DefaultLimits()
	genuine := make([]wire.TPMTSignature, len(keys))
	for i, s := range []wire.Alg{wire.AlgRSASSA, wire.AlgECDSA, wire.AlgHMAC} {
		var err error
		if s == wire.AlgECDSA {
			err = wire.Unmarshal(unhex(f, fuzzECDSA), &genuine[i], limits)
		} else {
			genuine[i], err = crypt.Sign(rand.Reader, keys[i].pub, privates[i], scheme(s, wire.AlgSHA256), digest)
		}
		if err != nil {
			f.Fatal(err)
		}
		if err := crypt.Verify(keys[i].pub, privates[i], digest, &genuine[i]); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), wire.Marshal(genuine[i]))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		var sig wire.TPMTSignature
		if wire.Unmarshal(b, &sig, limits) != nil {
			return
		}
		i := int(which) % len(keys)
		if crypt.Verify(keys[i].pub, privates[i], digest, &sig) == nil && !same(sig, genuine[i]) {
			t.Errorf("accepted %+v", sig)
		}
	})
}

// same reports whether a says what b says. Of an ECDSA signature r and s may
// have leading zeros, the hash is not part of what is verified, and n-s is as
// good as s; r is enough to know it by.
func same(a, b wire.TPMTSignature) bool {
	if a.SigAlg == wire.AlgECDSA && b.SigAlg == wire.AlgECDSA {
		return bytes.Equal(bytes.TrimLeft(a.R, "\x00"), bytes.TrimLeft(b.R, "\x00"))
	}
	return bytes.Equal(wire.Marshal(a), wire.Marshal(b))
}
