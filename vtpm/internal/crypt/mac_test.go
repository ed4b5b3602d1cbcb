package crypt_test

import (
	"bytes"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// A MAC is that of the standard library or of RFC 4493 wherever it is saved and
// loaded on the way, for keys shorter and longer than a block, too.
func TestMACSaved(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 30)
	for _, key := range [][]byte{nil, []byte("key"), bytes.Repeat([]byte("k"), 200)} {
		for _, alg := range hashes {
			checkMAC(t, alg, key, data, crypt.HMAC(alg, key, data))
		}
	}
	for _, key := range [][]byte{make([]byte, 16), make([]byte, 32)} {
		c, err := crypt.NewCMAC(wire.AlgAES, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(data)
		checkMAC(t, wire.AlgCMAC, key, data, c.Sum(nil))
	}
}

func checkMAC(t *testing.T, alg wire.Alg, key, data, want []byte) {
	t.Helper()
	for _, at := range []int{0, 1, 15, 16, 17, 128, 300} {
		m, err := crypt.NewMAC(alg, wire.AlgAES, key)
		if err != nil {
			t.Fatal(err)
		}
		m.Write(data[:at])
		saved, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		m.Clear()
		loaded := new(crypt.MAC)
		if err := loaded.UnmarshalBinary(saved); err != nil {
			t.Fatal(err)
		}
		loaded.Write(data[at:])
		if have := loaded.Sum(); !bytes.Equal(have, want) {
			t.Errorf("%v, key of %d bytes, saved at %d: have %x, want %x", alg, len(key), at, have, want)
		}
	}
}

// A state that is none is refused, without a panic.
func TestMACNotSaved(t *testing.T) {
	m, err := crypt.NewMAC(wire.AlgCMAC, wire.AlgAES, make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	saved, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for n := range saved {
		if new(crypt.MAC).UnmarshalBinary(saved[:n]) == nil {
			t.Errorf("loads from %d of %d bytes", n, len(saved))
		}
	}
	saved[len(saved)-1] = 17 // more input in a block than it has bytes
	if new(crypt.MAC).UnmarshalBinary(saved) == nil {
		t.Error("loads with more input than a block has")
	}
	if _, err := crypt.NewMAC(wire.AlgRSA, 0, nil); err != wire.RCHash {
		t.Errorf("NewMAC with RSA: %v", err)
	}
}
