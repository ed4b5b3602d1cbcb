package keygen

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The first vector of NIST's CAVP set for CTR_DRBG, no reseed, "AES-256 no df":
// instantiate, generate twice, compare the second output.
func TestDRBGAgainstNIST(t *testing.T) {
	var entropy [drbgSeedSize]byte
	copy(entropy[:], unhex(t, "df5d73faa468649edda33b5cca79b0b05600419ccb7a879ddfec9db32ee494e5531b51de16a30f769262474c73bec010"))
	want := unhex(t, "d1c07cd95af8a7f11012c84ce48bb8cb87189e99d40fccb1771c619bdf82ab2280b1dc2f2581f39164f7ac0c510494b3a43c41b7db17514c87b107ae793e01c5")
	d := new(DRBG)
	d.update(&entropy)
	got := make([]byte, len(want))
	for range 2 {
		if _, err := d.Read(got); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("second output is %x, want %x", got, want)
	}
}

// SP 800-90A defines generate and update over AES in counter mode. Here the
// standard library's does the counting, over a boundary where V carries.
func TestDRBGAgainstCounterMode(t *testing.T) {
	d := &DRBG{}
	for i := range d.v {
		d.v[i] = 0xff
	}
	block, err := aes.NewCipher(d.key[:])
	if err != nil {
		t.Fatal(err)
	}
	stream := cipher.NewCTR(block, make([]byte, aes.BlockSize)) // V + 1 is zero
	want := make([]byte, 40+8+drbgSeedSize)                     // 40 bytes use three blocks up
	stream.XORKeyStream(want, want)

	got := make([]byte, 40)
	if _, err := d.Read(got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want[:40]) {
		t.Errorf("output is %x, want %x", got, want[:40])
	}
	state := append(bytes.Clone(d.key[:]), d.v[:]...)
	if !bytes.Equal(state, want[48:]) {
		t.Errorf("state is %x, want %x", state, want[48:])
	}
}

// How reads are cut is part of the derivation: one read of 32 bytes and two of
// 16 differ in their second half, because each read updates the key.
func TestDRBGReadIsOneGenerate(t *testing.T) {
	whole, parts := make([]byte, 32), make([]byte, 32)
	NewSeeded([]byte("seed"), "label", nil, nil).Read(whole)
	d := NewSeeded([]byte("seed"), "label", nil, nil)
	d.Read(parts[:16])
	d.Read(nil) // no request, no update
	d.Read(parts[16:])
	if !bytes.Equal(whole[:16], parts[:16]) {
		t.Error("the first block depends on how much was asked for")
	}
	if bytes.Equal(whole[16:], parts[16:]) {
		t.Error("a second read continued the first one's key")
	}
}

func TestDRBGRefusesLargeRequests(t *testing.T) {
	d := NewSeeded(nil, "", nil, nil)
	if _, err := d.Read(make([]byte, maxRequest+1)); err == nil {
		t.Error("a request over the limit was served")
	}
	if _, err := d.Read(make([]byte, maxRequest)); err != nil {
		t.Errorf("a request of the limit was refused: %v", err)
	}
}

// The inputs are concatenated without lengths between them, as in the reference:
// only their order and the terminating zero of the label separate them.
func TestNewSeededConcatenates(t *testing.T) {
	first := func(d *DRBG) string {
		b := make([]byte, 16)
		d.Read(b)
		return string(b)
	}
	base := first(NewSeeded([]byte("ab"), "c", []byte("d"), []byte("e")))
	if got := first(NewSeeded([]byte("a"), "bc", []byte("de"), nil)); got != base {
		t.Error("the same concatenation gave another state")
	}
	if got := first(NewSeeded([]byte("ab"), "c", []byte("e"), []byte("d"))); got == base {
		t.Error("another order gave the same state")
	}
	if got := first(NewSeeded([]byte("ab"), "c", []byte("d"), []byte("e\x00"))); got == base {
		t.Error("one zero more gave the same state")
	}
}

func TestStirChangesTheState(t *testing.T) {
	a, b := NewSeeded(nil, "x", nil, nil), NewSeeded(nil, "x", nil, nil)
	b.Stir([]byte("proof"))
	if *a == *b {
		t.Error("stirring left the state as it was")
	}
	b.Clear()
	if *b != (DRBG{}) {
		t.Error("Clear left something of the state")
	}
}
