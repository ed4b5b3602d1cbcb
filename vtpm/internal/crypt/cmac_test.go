package crypt_test

import (
	"bytes"
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
