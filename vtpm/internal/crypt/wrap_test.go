package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

var testProtection = crypt.Protection{Hash: wire.AlgSHA256, Sym: wire.AlgAES, KeyBits: 128, Seed: []byte("seed")}

// The layout: a sized HMAC over the rest and the Name, a sized IV if there is
// one, the ciphertext.
func TestProtectLayout(t *testing.T) {
	p, name := testProtection, []byte("name")
	mac := crypt.KDFa(p.Hash, p.Seed, "INTEGRITY", nil, nil, 256)
	key := crypt.KDFa(p.Hash, p.Seed, "STORAGE", name, nil, 128)
	for _, iv := range [][]byte{nil, bytes.Repeat([]byte{7}, 16)} {
		enc := []byte("a secret of some length")
		if err := crypt.EncryptCFB(wire.AlgAES, key, iv, enc); err != nil {
			t.Fatal(err)
		}
		body := enc
		if iv != nil {
			body = append(append([]byte{0, 16}, iv...), enc...)
		}
		want := append(append([]byte{0, 32}, crypt.HMAC(p.Hash, mac, body, name)...), body...)
		got, err := crypt.Protect(p, name, iv, []byte("a secret of some length"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("iv %x: %x, %v, want %x", iv, got, err, want)
		}
	}
}

// Any changed bit, any other length, Name, seed or algorithm is found before a
// byte is decrypted.
func TestUnprotectIntegrity(t *testing.T) {
	p, name := testProtection, []byte("name")
	for _, iv := range [][]byte{nil, make([]byte, 16)} {
		data := []byte("a secret of some length")
		blob, err := crypt.Protect(p, name, iv, data)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Clone(blob)
		if got, err := crypt.Unprotect(p, name, iv != nil, blob); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q, %v", got, err)
		}
		if !bytes.Equal(blob, kept) {
			t.Error("the blob was changed")
		}
		for bit := range 8 * (len(blob) - 2) {
			bad := bytes.Clone(blob)
			bad[2+bit/8] ^= 1 << (bit % 8)
			if _, err := crypt.Unprotect(p, name, iv != nil, bad); !errors.Is(err, wire.RCIntegrity) {
				t.Fatalf("bit %d: %v", bit, err)
			}
		}
		for n := 34; n < len(blob); n++ {
			if _, err := crypt.Unprotect(p, name, iv != nil, blob[:n]); !errors.Is(err, wire.RCIntegrity) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		other := p
		other.Seed = []byte("need")
		if _, err := crypt.Unprotect(other, name, iv != nil, blob); !errors.Is(err, wire.RCIntegrity) {
			t.Errorf("another seed: %v", err)
		}
		other = p
		other.Hash = wire.AlgSHA384
		if _, err := crypt.Unprotect(other, name, iv != nil, blob); !errors.Is(err, wire.RCIntegrity) {
			t.Errorf("another hash: %v", err)
		}
		if _, err := crypt.Unprotect(p, []byte("game"), iv != nil, blob); !errors.Is(err, wire.RCIntegrity) {
			t.Errorf("another Name: %v", err)
		}
	}
}

func TestUnprotectErrors(t *testing.T) {
	p, name := testProtection, []byte("name")
	// seal makes a blob that is authentic, whatever its body is.
	seal := func(body []byte) []byte {
		key := crypt.KDFa(p.Hash, p.Seed, "INTEGRITY", nil, nil, 256)
		return append(append([]byte{0, 32}, crypt.HMAC(p.Hash, key, body, name)...), body...)
	}
	change := func(f func(*crypt.Protection)) crypt.Protection { q := p; f(&q); return q }
	for _, tt := range []struct {
		why    string
		p      crypt.Protection
		withIV bool
		blob   []byte
		want   wire.RC
	}{
		{"empty", p, true, nil, wire.RCInsufficient},
		{"one byte", p, true, []byte{0}, wire.RCInsufficient},
		{"half a digest", p, true, make([]byte, 2+31)[:20], wire.RCIntegrity},
		{"digest cut off", p, true, append([]byte{0, 32}, make([]byte, 31)...), wire.RCInsufficient},
		{"digest over any hash's", p, true, append([]byte{0, 65}, make([]byte, 65)...), wire.RCSize},
		{"empty digest", p, true, []byte{0, 0, 1, 2, 3}, wire.RCIntegrity},
		{"authentic without IV", p, true, seal(nil), wire.RCInsufficient},
		{"authentic with a short IV", p, true, seal([]byte{0, 1, 1}), wire.RCValue},
		{"authentic with an IV over any cipher's", p, true, seal(append([]byte{0, 17}, make([]byte, 17)...)), wire.RCSize},
		{"authentic with an IV cut off", p, true, seal([]byte{0, 16, 1}), wire.RCInsufficient},
		{"no hash", change(func(q *crypt.Protection) { q.Hash = wire.AlgNull }), false, seal(nil), wire.RCHash},
		{"no cipher", change(func(q *crypt.Protection) { q.Sym = wire.AlgNull }), false, seal(nil), wire.RCSymmetric},
		{"no key size", change(func(q *crypt.Protection) { q.KeyBits = 64 }), false, seal(nil), wire.RCKeySize},
	} {
		if _, err := crypt.Unprotect(tt.p, name, tt.withIV, tt.blob); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
	if _, err := crypt.Protect(p, name, make([]byte, 15), nil); !errors.Is(err, wire.RCValue) {
		t.Errorf("protect with a short IV: %v", err)
	}
}

// Whatever the cipher and hash of the parent, what goes in comes out, with the
// authValue filled up to the nameAlg's size.
func TestSensitiveToPrivate(t *testing.T) {
	limits := wire.DefaultLimits()
	for name, k := range map[string]testKey{"RSA": rsa2048(t), "ECC": eccKey(t, wire.CurveNISTP521, 3), "AES": aesKey(make([]byte, 16))} {
		for _, p := range []crypt.Protection{
			testProtection,
			{Hash: wire.AlgSHA512, Sym: wire.AlgAES, KeyBits: 256, Seed: bytes.Repeat([]byte{1}, 64)},
		} {
			sens := *k.sens
			sens.AuthValue = []byte("pin")
			blob, err := crypt.SensitiveToPrivate(rand.Reader, p, []byte("name"), wire.AlgSHA256, &sens)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := crypt.PrivateToSensitive(p, []byte("name"), blob, limits)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if string(sens.AuthValue) != "pin" {
				t.Errorf("%s: the caller's authValue is %q", name, sens.AuthValue)
			}
			sens.AuthValue = append([]byte("pin"), make([]byte, 29)...)
			if !bytes.Equal(wire.Marshal(got), wire.Marshal(sens)) {
				t.Errorf("%s: %+v, want %+v", name, got, sens)
			}
			again, err := crypt.SensitiveToPrivate(rand.Reader, p, []byte("name"), wire.AlgSHA256, &sens)
			if err != nil || bytes.Equal(again, blob) || len(again) != len(blob) {
				t.Errorf("%s: wrapping again gave the same blob, or one of another size", name)
			}
		}
	}
	if _, err := crypt.SensitiveToPrivate(bytes.NewReader(nil), testProtection, nil, wire.AlgSHA256, rsa2048(t).sens); !errors.Is(err, wire.RCNoResult) {
		t.Errorf("no entropy: %v", err)
	}
}

// Authentic, but no sensitive area: another TPM's format, or an algorithm that
// has been switched off since.
func TestPrivateToSensitiveErrors(t *testing.T) {
	p, name, iv := testProtection, []byte("name"), make([]byte, 16)
	sens := wire.Marshal(*rsa2048(t).sens)
	sized := func(n int, b []byte) []byte { return append([]byte{byte(n >> 8), byte(n)}, b...) }
	for _, tt := range []struct {
		why  string
		area []byte
		want wire.RC
	}{
		{"nothing", nil, wire.RCInsufficient},
		{"one byte", []byte{0}, wire.RCInsufficient},
		{"size too small", sized(len(sens)-1, sens), wire.RCSensitive},
		{"size too large", sized(len(sens)+1, sens), wire.RCSensitive},
		{"cut off", sized(len(sens)-1, sens[:len(sens)-1]), wire.RCSensitive},
		{"left over", sized(len(sens)+1, append(bytes.Clone(sens), 0)), wire.RCSensitive},
		{"of no type", sized(len(sens), append([]byte{0, 0x10}, sens[2:]...)), wire.RCSensitive},
		{"empty", sized(0, nil), wire.RCSensitive},
	} {
		blob, err := crypt.Protect(p, name, iv, tt.area)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := crypt.PrivateToSensitive(p, name, blob, wire.DefaultLimits()); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
}

// All four combinations of the wraps; without any, the area is in the clear.
func TestDuplicateRoundTrip(t *testing.T) {
	k, name, limits := eccKey(t, wire.CurveNISTP256, 5), []byte("name"), wire.DefaultLimits()
	inner := crypt.InnerWrap{Sym: wire.AlgAES, KeyBits: 128, Key: bytes.Repeat([]byte{2}, 16)}
	for _, outer := range []crypt.Protection{{}, testProtection} {
		for _, in := range []crypt.InnerWrap{{}, {Sym: wire.AlgNull}, inner} {
			blob, err := crypt.SensitiveToDuplicate(outer, in, name, wire.AlgSHA256, k.sens)
			if err != nil {
				t.Fatal(err)
			}
			got, err := crypt.DuplicateToSensitive(outer, in, name, wire.AlgSHA256, blob, limits)
			if err != nil || !bytes.Equal(got.Sensitive, k.sens.Sensitive) {
				t.Errorf("outer %v, inner %v: %v", outer.Sym, in.Sym, err)
			}
			clear := bytes.Contains(blob, k.sens.Sensitive)
			if want := len(outer.Seed) == 0 && in.Key == nil; clear != want {
				t.Errorf("outer %v, inner %v: in the clear is %v", outer.Sym, in.Sym, clear)
			}
		}
	}
}

func TestDuplicateErrors(t *testing.T) {
	k, name, limits := eccKey(t, wire.CurveNISTP256, 5), []byte("name"), wire.DefaultLimits()
	inner := crypt.InnerWrap{Sym: wire.AlgAES, KeyBits: 128, Key: bytes.Repeat([]byte{2}, 16)}
	none := crypt.Protection{}
	wrapped, err := crypt.SensitiveToDuplicate(none, inner, name, wire.AlgSHA256, k.sens)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := crypt.SensitiveToDuplicate(none, crypt.InnerWrap{}, name, wire.AlgSHA256, k.sens)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(wrapped)
	flipped[len(flipped)-1] ^= 1
	for _, tt := range []struct {
		why   string
		outer crypt.Protection
		inner crypt.InnerWrap
		name  string
		blob  []byte
		want  wire.RC
	}{
		{"no outer wrap where one is", testProtection, crypt.InnerWrap{}, "name", bare, wire.RCSize},
		{"another Name", none, inner, "game", wrapped, wire.RCIntegrity},
		{"one bit", none, inner, "name", flipped, wire.RCIntegrity},
		{"another key's size", none, crypt.InnerWrap{Sym: wire.AlgAES, KeyBits: 256, Key: inner.Key}, "name", wrapped, wire.RCSize},
		{"empty", none, crypt.InnerWrap{}, "name", nil, wire.RCInsufficient},
		{"cut off", none, crypt.InnerWrap{}, "name", bare[:len(bare)-1], wire.RCSize},
		{"left over", none, crypt.InnerWrap{}, "name", append(bytes.Clone(bare), 0), wire.RCSize},
		{"of no type", none, crypt.InnerWrap{}, "name", []byte{0, 8, 0, 0x10, 0, 0, 0, 0, 0, 0}, wire.RCType},
	} {
		_, err := crypt.DuplicateToSensitive(tt.outer, tt.inner, []byte(tt.name), wire.AlgSHA256, tt.blob, limits)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
}

// A credential and a duplicate made by the client open with the key.
func TestUnwrapOfGoTPM(t *testing.T) {
	for name, k := range map[string]testKey{
		"RSA": rsa2048(t).storage(), "P-256": eccKey(t, wire.CurveNISTP256, 0x42).storage(), "P-521": eccKey(t, wire.CurveNISTP521, 0x42).storage(),
	} {
		pub, err := tpm2.ImportEncapsulationKey(client(t, k.pub))
		if err != nil {
			t.Fatal(err)
		}
		about := crypt.ObjectName(k.pub)
		protection := func(label string, enc []byte) crypt.Protection {
			seed, err := crypt.DecryptSecret(k.pub, k.private(t), label, enc)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return crypt.NewProtection(k.pub, seed)
		}

		blob, enc, err := tpm2.CreateCredential(rand.Reader, pub, about, []byte("credential"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := crypt.CredentialToSecret(protection("IDENTITY", enc), about, blob); err != nil || string(got) != "credential" {
			t.Errorf("%s credential: %q, %v", name, got, err)
		}
		ours, err := crypt.SecretToCredential(protection("IDENTITY", enc), about, []byte("credential"))
		if err != nil || !bytes.Equal(ours, blob) {
			t.Errorf("%s credential: %x, %v, want %x", name, ours, err, blob)
		}

		sens := *eccKey(t, wire.CurveNISTP256, 7).sens
		sens.AuthValue = make([]byte, 32)
		blob, enc, err = tpm2.CreateDuplicate(rand.Reader, pub, about, wire.Marshal(sens))
		if err != nil {
			t.Fatal(err)
		}
		got, err := crypt.DuplicateToSensitive(protection("DUPLICATE", enc), crypt.InnerWrap{}, about, wire.AlgSHA256, blob, wire.DefaultLimits())
		if err != nil || !bytes.Equal(wire.Marshal(got), wire.Marshal(sens)) {
			t.Errorf("%s duplicate: %v", name, err)
		}
		ours, err = crypt.SensitiveToDuplicate(protection("DUPLICATE", enc), crypt.InnerWrap{}, about, wire.AlgSHA256, &sens)
		if err != nil || !bytes.Equal(ours, blob) {
			t.Errorf("%s duplicate: %x, %v, want %x", name, ours, err, blob)
		}
	}
}

func TestCredentialErrors(t *testing.T) {
	name := []byte("name")
	for why, tt := range map[string]struct {
		data []byte
		want wire.RC
	}{
		"nothing":                {nil, wire.RCInsufficient},
		"cut off":                {[]byte{0, 2, 1}, wire.RCInsufficient},
		"left over":              {[]byte{0, 1, 1, 1}, wire.RCSize},
		"longer than any digest": {append([]byte{0, 65}, make([]byte, 65)...), wire.RCSize},
	} {
		blob, err := crypt.Protect(testProtection, name, nil, tt.data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := crypt.CredentialToSecret(testProtection, name, blob); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", why, err, tt.want)
		}
	}
}

// No blob but a genuine one opens, and none panics.
func FuzzUnprotect(f *testing.F) {
	name, limits := []byte("name"), wire.DefaultLimits()
	genuine := map[string]bool{}
	for _, iv := range [][]byte{nil, make([]byte, 16)} {
		blob, err := crypt.Protect(testProtection, name, iv, []byte("data"))
		if err != nil {
			f.Fatal(err)
		}
		genuine[string(blob)] = true
		f.Add(blob, iv != nil)
	}
	inner := crypt.InnerWrap{Sym: wire.AlgAES, KeyBits: 128, Key: make([]byte, 16)}
	f.Fuzz(func(t *testing.T, blob []byte, withIV bool) {
		if _, err := crypt.Unprotect(testProtection, name, withIV, blob); err == nil && !genuine[string(blob)] {
			t.Errorf("opened %x", blob)
		}
		if _, err := crypt.DuplicateToSensitive(crypt.Protection{}, inner, name, wire.AlgSHA256, blob, limits); err == nil {
			t.Errorf("opened %x as a duplicate", blob)
		}
		// With no wrap at all nothing is authentic: it must only not panic.
		_, _ = crypt.DuplicateToSensitive(crypt.Protection{}, crypt.InnerWrap{}, name, wire.AlgSHA256, blob, limits)
	})
}
