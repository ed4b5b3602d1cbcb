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
		{"unknown curve", e, eccSig, func(p *wire.TPMTPublic) { p.Parameters.ECC.CurveID = wire.CurveBNP256 }},
	} {
		bad := tt.key.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) { tt.change(p) })
		if err := crypt.Verify(bad.pub, nil, digest, &tt.sig); !errors.Is(err, wire.RCSignature) {
			t.Errorf("%s: %v", tt.why, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	keys := []testKey{rsaKeyOf(f, prime1024P, prime1024Q, 7), eccKey(f, wire.CurveNISTP256, 1), hmacKey(wire.AlgSHA256, []byte("k"))}
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	genuine := map[string]bool{}
	for i, s := range []wire.Alg{wire.AlgRSASSA, wire.AlgECDSA, wire.AlgHMAC} {
		sig, err := crypt.Sign(rand.Reader, keys[i].pub, keys[i].private(f), scheme(s, wire.AlgSHA256), digest)
		if err != nil {
			f.Fatal(err)
		}
		b := wire.Marshal(sig)
		genuine[string(b)] = true
		f.Add(uint8(i), b)
	}
	limits := wire.DefaultLimits()
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		var sig wire.TPMTSignature
		if wire.Unmarshal(b, &sig, limits) != nil || genuine[string(b)] {
			return
		}
		k := keys[int(which)%len(keys)]
		err := crypt.Verify(k.pub, k.private(t), digest, &sig)
		if err == nil && !equivalent(sig, genuine) {
			t.Errorf("accepted %+v", sig)
		}
	})
}

// equivalent reports whether sig is one of the genuine signatures with leading
// zeros added to or taken from r and s, or with n-s for s, which is as valid.
func equivalent(sig wire.TPMTSignature, genuine map[string]bool) bool {
	if sig.SigAlg != wire.AlgECDSA {
		return false
	}
	for b := range genuine {
		var g wire.TPMTSignature
		if wire.Unmarshal([]byte(b), &g, wire.DefaultLimits()) != nil || g.SigAlg != wire.AlgECDSA {
			continue
		}
		if bytes.Equal(bytes.TrimLeft(g.R, "\x00"), bytes.TrimLeft(sig.R, "\x00")) {
			return true
		}
	}
	return false
}
