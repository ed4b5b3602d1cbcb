package crypt_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const (
	sp800Key   = "2b7e151628aed2a6abf7158809cf4f3c"
	sp800Plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
		"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)

var modes = []wire.Alg{wire.AlgCFB, wire.AlgOFB, wire.AlgCTR, wire.AlgCBC, wire.AlgECB}

// ivFor returns an IV that mode takes.
func ivFor(mode wire.Alg, iv []byte) []byte {
	if mode == wire.AlgECB {
		return nil
	}
	return iv
}

// NIST SP 800-38A, appendix F, AES-128; for each mode the IV that continues the
// stream, which C engines returned wrongly more than once (CVE-2021-3446,
// CVE-2026-21444).
func TestModesSP80038A(t *testing.T) {
	const iv = "000102030405060708090a0b0c0d0e0f"
	for _, tt := range []struct {
		mode              wire.Alg
		iv, cipher, ivOut string
	}{
		{wire.AlgCFB, iv, "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b" +
			"26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
			"c04b05357c5d1c0eeac4c66f9ff7f2e6"}, // the last ciphertext block
		{wire.AlgOFB, iv, "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825" +
			"9740051e9c5fecf64344f7a82260edcc304c6528f659c77866a510d9c1d6ae5e",
			"c6d3416d29165c6fcb8e51a227ba994e"}, // the last key stream block
		{wire.AlgCBC, iv, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2" +
			"73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
			"3ff1caa1681fac09120eca307586e1a7"}, // the last ciphertext block
		{wire.AlgECB, "", "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf" +
			"43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4", ""},
		{wire.AlgCTR, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
			"874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff" +
				"5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
			"f0f1f2f3f4f5f6f7f8f9fafbfcfdff03"}, // the next counter
	} {
		key, data, iv := unhex(t, sp800Key), unhex(t, sp800Plain), unhex(t, tt.iv)
		out, err := crypt.EncryptSym(wire.AlgAES, tt.mode, key, ivFor(tt.mode, iv), data)
		if err != nil {
			t.Fatalf("%v: %v", tt.mode, err)
		}
		wantHex(t, tt.mode.String()+" encrypted", data, tt.cipher)
		wantHex(t, tt.mode.String()+" ivOut encrypting", out, tt.ivOut)
		wantHex(t, tt.mode.String()+" the caller's iv", iv, tt.iv)

		out, err = crypt.DecryptSym(wire.AlgAES, tt.mode, key, ivFor(tt.mode, iv), data)
		if err != nil {
			t.Fatalf("%v: %v", tt.mode, err)
		}
		wantHex(t, tt.mode.String()+" decrypted", data, sp800Plain)
		wantHex(t, tt.mode.String()+" ivOut decrypting", out, tt.ivOut)
	}
}

// What ivOut is for: pieces of whole blocks, chained, equal the whole. The
// counter starts at its largest value, so that it wraps around.
func TestModesChain(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	plain := make([]byte, 16*9+5)
	for i := range plain {
		plain[i] = byte(i)
	}
	for _, mode := range modes {
		size := len(plain)
		if mode == wire.AlgCBC || mode == wire.AlgECB {
			size -= 5
		}
		first := ivFor(mode, bytes.Repeat([]byte{0xFF}, 16))
		whole := bytes.Clone(plain[:size])
		if _, err := crypt.EncryptSym(wire.AlgAES, mode, key, first, whole); err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		for _, run := range []struct {
			name       string
			do         func(alg, mode wire.Alg, key, iv, data []byte) ([]byte, error)
			data, want []byte
		}{
			{"encrypt", crypt.EncryptSym, plain[:size], whole},
			{"decrypt", crypt.DecryptSym, whole, plain[:size]},
		} {
			got, iv := bytes.Clone(run.data), first
			for at, n := 0, 16; at < size; at, n = at+n, n+16 {
				var err error
				if iv, err = run.do(wire.AlgAES, mode, key, iv, got[at:min(at+n, size)]); err != nil {
					t.Fatalf("%v %s: %v", mode, run.name, err)
				}
			}
			if !bytes.Equal(got, run.want) {
				t.Errorf("%v %s in pieces differs from the whole", mode, run.name)
			}
		}
	}
}

// Of a partial CFB block the chained IV holds the ciphertext and zeros, in both
// directions.
func TestCFBPartialBlockIV(t *testing.T) {
	key := unhex(t, sp800Key)
	data := []byte("seven b")
	enc, err := crypt.EncryptSym(wire.AlgAES, wire.AlgCFB, key, nil, data)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 16)
	copy(want, data)
	if !bytes.Equal(enc, want) {
		t.Errorf("encrypting: %x, want %x", enc, want)
	}
	dec, err := crypt.DecryptSym(wire.AlgAES, wire.AlgCFB, key, nil, data)
	if err != nil || !bytes.Equal(dec, want) {
		t.Errorf("decrypting: %x, %v, want %x", dec, err, want)
	}
	if string(data) != "seven b" {
		t.Errorf("decrypted to %q", data)
	}
}

// A partial CTR block uses up its counter.
func TestCTRPartialBlockIV(t *testing.T) {
	for size, want := range map[int]string{
		1: "00000000000000000000000000000001", 16: "00000000000000000000000000000001", 17: "00000000000000000000000000000002",
	} {
		out, err := crypt.EncryptSym(wire.AlgAES, wire.AlgCTR, unhex(t, sp800Key), make([]byte, 16), make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		wantHex(t, "next counter", out, want)
	}
}

// Nothing to do leaves the IV as it is.
func TestModesEmptyData(t *testing.T) {
	iv := bytes.Repeat([]byte{3}, 16)
	for _, mode := range modes[:4] {
		out, err := crypt.EncryptSym(wire.AlgAES, mode, make([]byte, 16), iv, nil)
		if err != nil || !bytes.Equal(out, iv) {
			t.Errorf("%v: %x, %v", mode, out, err)
		}
	}
}

func TestSymErrors(t *testing.T) {
	key, iv := make([]byte, 16), make([]byte, 16)
	for _, tt := range []struct {
		why       string
		alg, mode wire.Alg
		key, iv   []byte
		size      int
		want      wire.RC
	}{
		{"not a cipher", wire.AlgSHA256, wire.AlgCFB, key, iv, 16, wire.RCSymmetric},
		{"key of 15 bytes", wire.AlgAES, wire.AlgCFB, key[1:], iv, 16, wire.RCKeySize},
		{"not a mode", wire.AlgAES, wire.AlgGCM, key, iv, 16, wire.RCMode},
		{"short iv", wire.AlgAES, wire.AlgCFB, key, iv[1:], 16, wire.RCValue},
		{"empty iv", wire.AlgAES, wire.AlgCTR, key, []byte{}, 16, wire.RCValue},
		{"iv for ECB", wire.AlgAES, wire.AlgECB, key, iv, 16, wire.RCValue},
		{"CBC of 15 bytes", wire.AlgAES, wire.AlgCBC, key, iv, 15, wire.RCSize},
		{"ECB of 17 bytes", wire.AlgAES, wire.AlgECB, key, nil, 17, wire.RCSize},
	} {
		data := make([]byte, tt.size)
		if _, err := crypt.EncryptSym(tt.alg, tt.mode, tt.key, tt.iv, data); !errors.Is(err, tt.want) {
			t.Errorf("encrypt, %s: %v, want %v", tt.why, err, tt.want)
		}
		if _, err := crypt.DecryptSym(tt.alg, tt.mode, tt.key, tt.iv, data); !errors.Is(err, tt.want) {
			t.Errorf("decrypt, %s: %v, want %v", tt.why, err, tt.want)
		}
		if !bytes.Equal(data, make([]byte, tt.size)) {
			t.Errorf("%s: data changed", tt.why)
		}
	}
}

// The mask is KDFa over the whole length, with the label "XOR"; applying it
// twice gives the data back.
func TestXORObfuscate(t *testing.T) {
	for _, size := range []int{0, 1, 31, 32, 33, 100} {
		data := make([]byte, size)
		if err := crypt.XORObfuscate(wire.AlgSHA256, []byte("k"), []byte("u"), []byte("v"), data); err != nil {
			t.Fatal(err)
		}
		mask := crypt.KDFa(wire.AlgSHA256, []byte("k"), "XOR", []byte("u"), []byte("v"), 8*size)
		if !bytes.Equal(data, mask) {
			t.Errorf("%d bytes: %x, want %x", size, data, mask)
		}
		if err := crypt.XORObfuscate(wire.AlgSHA256, []byte("k"), []byte("u"), []byte("v"), data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, make([]byte, size)) {
			t.Errorf("%d bytes: twice is not the identity", size)
		}
	}
	if err := crypt.XORObfuscate(wire.AlgNull, nil, nil, nil, make([]byte, 1)); !errors.Is(err, wire.RCHash) {
		t.Errorf("no hash: %v", err)
	}
}
