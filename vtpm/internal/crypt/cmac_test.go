package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/subtle"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// RFC 4493, section 4: no, one, a partial and only whole blocks; written at once
// and byte by byte, and with a Sum on the way.
func TestCMAC(t *testing.T) {
	for n, want := range map[int]string{
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		m, err := crypt.NewCMAC(wire.AlgAES, unhex(t, sp800Key))
		if err != nil {
			t.Fatal(err)
		}
		msg := unhex(t, sp800Plain)[:n]
		m.Write(msg)
		wantHex(t, "at once", m.Sum(nil), want)
		m.Reset()
		for i := range msg {
			m.Write(msg[i : i+1])
			m.Sum(nil)
		}
		wantHex(t, "in pieces", m.Sum([]byte{0xAB}), "ab"+want)
	}
}

// Every length of a single partial block, from the definition: the padded block
// and RFC 4493's subkey K2, encrypted.
func TestCMACPadding(t *testing.T) {
	k2 := unhex(t, "f7ddac306ae266ccf90bc11ee46d513b")
	block, err := aes.NewCipher(unhex(t, sp800Key))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 16 {
		want := append(bytes.Repeat([]byte{0x77}, n), 0x80)
		want = append(want, make([]byte, 15-n)...)
		subtle.XORBytes(want, want, k2)
		block.Encrypt(want, want)
		m, err := crypt.NewCMAC(wire.AlgAES, unhex(t, sp800Key))
		if err != nil {
			t.Fatal(err)
		}
		m.Write(bytes.Repeat([]byte{0x77}, n))
		if got := m.Sum(nil); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
	if m, _ := crypt.NewCMAC(wire.AlgAES, make([]byte, 16)); m.Size() != 16 || m.BlockSize() != 16 {
		t.Errorf("size %d, block size %d", m.Size(), m.BlockSize())
	}
}

// NIST SP 800-38B, appendix D.3: AES-256.
func TestCMAC256(t *testing.T) {
	m, err := crypt.NewCMAC(wire.AlgAES, unhex(t, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
	if err != nil {
		t.Fatal(err)
	}
	wantHex(t, "empty", m.Sum(nil), "028962f61b7bf89efc6b551f4667d983")
}

func TestCMACErrors(t *testing.T) {
	if _, err := crypt.NewCMAC(wire.AlgSHA256, make([]byte, 16)); !errors.Is(err, wire.RCSymmetric) {
		t.Errorf("not a cipher: %v", err)
	}
	if _, err := crypt.NewCMAC(wire.AlgAES, bytes.Repeat([]byte{1}, 17)); !errors.Is(err, wire.RCKeySize) {
		t.Errorf("key of 17 bytes: %v", err)
	}
}
