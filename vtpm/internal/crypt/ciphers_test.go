package crypt_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// RFC 3713, appendix A.
func TestCamellia(t *testing.T) {
	const plain = "0123456789abcdeffedcba9876543210"
	for key, want := range map[string]string{
		"0123456789abcdeffedcba9876543210":                                 "67673138549669730857065648eabe43",
		"0123456789abcdeffedcba98765432100011223344556677":                 "b4993401b3e996f84ee5cee7d79b09b9",
		"0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff": "9acc237dff16d76c20ef7c919e3a7509",
	} {
		data := unhex(t, plain)
		if _, err := crypt.EncryptSym(wire.AlgCamellia, wire.AlgECB, unhex(t, key), nil, data); err != nil {
			t.Fatal(err)
		}
		wantHex(t, "encrypted", data, want)
		if _, err := crypt.DecryptSym(wire.AlgCamellia, wire.AlgECB, unhex(t, key), nil, data); err != nil {
			t.Fatal(err)
		}
		wantHex(t, "decrypted", data, plain)
	}
}

// NIST SP 800-38B, appendices D.4 and D.5: CMAC with three-key and two-key TDES,
// whose blocks have another constant than AES'.
func TestCMACWithTDES(t *testing.T) {
	for _, tt := range []struct {
		key  string
		n    int
		want string
	}{
		{"8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", 0, "b7a688e122ffaf95"},
		{"8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", 8, "8e8f293136283797"},
		{"8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", 20, "743ddbe0ce2dc2ed"},
		{"8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", 32, "33e6b1092400eae5"},
		{"4cf15134a2850dd58a3d10ba80570d38", 0, "bd2ebf9a3ba00361"},
		{"4cf15134a2850dd58a3d10ba80570d38", 8, "4ff2ab813c53ce83"},
		{"4cf15134a2850dd58a3d10ba80570d38", 20, "62dd1b471902bd4e"},
		{"4cf15134a2850dd58a3d10ba80570d38", 32, "31b1e431dabc4eb8"},
	} {
		m, err := crypt.NewCMAC(wire.AlgTDES, unhex(t, tt.key))
		if err != nil {
			t.Fatal(err)
		}
		m.Write(unhex(t, sp800Plain)[:tt.n])
		wantHex(t, fmt.Sprint(tt.n, " bytes"), m.Sum(nil), tt.want)
	}
}

// Every cipher with every size of key goes back and forth in every mode, also in two
// pieces with the IV of the first.
func TestCiphersAndModes(t *testing.T) {
	for _, c := range allLimits().Ciphers {
		for _, bits := range c.KeyBits {
			key := unhex(t, "0123456789abcdef23456789abcdef01456789abcdef0123fedcba9876543210")[:bits/8]
			n := crypt.CipherBlockSize(c.Alg)
			for _, mode := range modes {
				iv := ivFor(mode, bytes.Repeat([]byte{0xFF}, n)) // a counter that wraps around
				data := bytes.Repeat([]byte("0123456789abcdef"), 3)
				whole, pieces := bytes.Clone(data), bytes.Clone(data)
				if _, err := crypt.EncryptSym(c.Alg, mode, key, iv, whole); err != nil {
					t.Fatalf("%v %d %v: %v", c.Alg, bits, mode, err)
				}
				next, err := crypt.EncryptSym(c.Alg, mode, key, iv, pieces[:2*n])
				if err != nil {
					t.Fatal(err)
				}
				if _, err := crypt.EncryptSym(c.Alg, mode, key, next, pieces[2*n:]); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(whole, pieces) {
					t.Errorf("%v %d %v: in two pieces %x, in one %x", c.Alg, bits, mode, pieces, whole)
				}
				if _, err := crypt.DecryptSym(c.Alg, mode, key, iv, whole); err != nil || !bytes.Equal(whole, data) {
					t.Errorf("%v %d %v: %q, %v", c.Alg, bits, mode, whole, err)
				}
			}
		}
	}
}

// TDES keys that encrypt like fewer keys are refused, whatever their parity bits.
func TestCheckSymKey(t *testing.T) {
	const (
		weak     = "0000000000000000" // all zeros, but for parity
		semiWeak = "011f011f010e010e"
		possibly = "1f1f01010e0e0101"
		a, b     = "0123456789abcdef", "23456789abcdef01"
	)
	for _, tt := range []struct {
		why, key string
		bits     uint16
		want     error
	}{
		{"two keys", a + b, 128, nil},
		{"two keys, three parts", a + b + a, 192, nil},
		{"one key twice", a + a, 128, wire.RCKey},
		{"the same but for parity", "0123456789abcdef" + "0022446688aaccee", 128, wire.RCKey},
		{"the second twice", a + b + b, 192, wire.RCKey},
		{"a weak key", a + weak, 128, wire.RCKey},
		{"a semi-weak key", semiWeak + a + b, 192, wire.RCKey},
		{"a possibly weak key", a + b + possibly, 192, wire.RCKey},
		{"too short", a, 128, wire.RCKeySize},
		{"too long", a + b + a, 128, wire.RCKeySize},
	} {
		sym := wire.TPMTSymDefObject{Algorithm: wire.AlgTDES, KeyBits: tt.bits, Mode: wire.AlgCFB}
		if err := crypt.CheckSymKey(sym, unhex(t, tt.key)); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
	aes := wire.TPMTSymDefObject{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}
	if err := crypt.CheckSymKey(aes, make([]byte, 16)); err != nil {
		t.Errorf("AES has no weak keys: %v", err)
	}
}

func TestSetParity(t *testing.T) {
	key := unhex(t, "00010203fcfdfeff")
	crypt.SetParity(key)
	wantHex(t, "odd parity", key, "01010202fdfdfefe")
}
