package crypt_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

var goHash = map[wire.Alg]crypto.Hash{
	wire.AlgSHA1: crypto.SHA1, wire.AlgSHA256: crypto.SHA256,
	wire.AlgSHA384: crypto.SHA384, wire.AlgSHA512: crypto.SHA512,
}

// Both KDFs agree with the client's, for results shorter than a digest, as long
// as one, and longer; and for a number of bits that is not one of bytes.
func TestKDFsAgainstGoTPM(t *testing.T) {
	key, u, v := []byte("key"), []byte("newer nonce"), []byte("older")
	for alg, h := range goHash {
		for _, bits := range []int{8, 128, 160, 256, 384, 512, 640, 1000, 1024, 4096} {
			want := tpm2.KDFa(h, key, "CFB", u, v, bits)
			if got := crypt.KDFa(alg, key, "CFB", u, v, bits); !bytes.Equal(got, want) {
				t.Errorf("KDFa %v, %d bits:\n got %x\nwant %x", alg, bits, got, want)
			}
			want = tpm2.KDFe(h, key, "SECRET", u, v, bits)
			if got := crypt.KDFe(alg, key, "SECRET", u, v, bits); !bytes.Equal(got, want) {
				t.Errorf("KDFe %v, %d bits:\n got %x\nwant %x", alg, bits, got, want)
			}
		}
	}
}

// The number of bits is part of KDFa's input, but not of KDFe's: a shorter
// result is a prefix only there.
func TestKDFBitsAsInput(t *testing.T) {
	a128 := crypt.KDFa(wire.AlgSHA256, []byte("k"), "L", nil, nil, 128)
	a256 := crypt.KDFa(wire.AlgSHA256, []byte("k"), "L", nil, nil, 256)
	if bytes.HasPrefix(a256, a128) {
		t.Error("KDFa does not hash the number of bits")
	}
	e128 := crypt.KDFe(wire.AlgSHA256, []byte("k"), "L", nil, nil, 128)
	e256 := crypt.KDFe(wire.AlgSHA256, []byte("k"), "L", nil, nil, 256)
	if !bytes.HasPrefix(e256, e128) {
		t.Error("KDFe hashes the number of bits")
	}
}

// Bits beyond the number asked for are zero at the left: P-521 scalars depend on
// it.
func TestKDFMasksExcessBits(t *testing.T) {
	for i := range 64 {
		k := crypt.KDFa(wire.AlgSHA512, []byte{byte(i)}, "L", nil, nil, 521)
		if len(k) != 66 || k[0] > 1 {
			t.Fatalf("%d bytes, first %#x; want 66, at most 1", len(k), k[0])
		}
	}
}

// A label that ends in a zero gets no second one, as in the reference code, where
// the label of a derived object comes from its user.
func TestKDFLabelTerminator(t *testing.T) {
	a := crypt.KDFa(wire.AlgSHA256, []byte("k"), "L", nil, nil, 256)
	b := crypt.KDFa(wire.AlgSHA256, []byte("k"), "L\x00", nil, nil, 256)
	if !bytes.Equal(a, b) {
		t.Error("the terminating zero is hashed twice")
	}
}

// Published values of MGF1 for the seed "bar".
func TestMGF1(t *testing.T) {
	wantHex(t, "SHA-1", crypt.MGF1(wire.AlgSHA1, []byte("bar"), 5), "bc0c655e01")
	wantHex(t, "SHA-256", crypt.MGF1(wire.AlgSHA256, []byte("bar"), 50),
		"382576a7841021cc28fc4c0948753fb8312090cea942ea4c4e735d10dc724b155f9f6069f289d61daca0cb814502ef04eae1")
}

// KDF2 differs from MGF1 in the counter's first value only.
func TestKDF2(t *testing.T) {
	mask := crypt.MGF1(wire.AlgSHA256, []byte("seed"), 96)
	if got := crypt.KDF2(wire.AlgSHA256, []byte("seed"), 64); !bytes.Equal(got, mask[32:]) {
		t.Errorf("got %x, want %x", got, mask[32:])
	}
}
