package volumes

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

// Identity tells volumes apart by what cannot be copied without opening them: the
// volume key. It is what systemd-cryptsetup measures to PCR 15 in the SHA-256 bank
// (systemd, src/cryptsetup/cryptsetup.c, measure_volume_key):
//
//	HMAC-SHA256(volume key, "cryptsetup:NAME:UUID")
//
// It is not secret. It prints, and is written in JSON, as hex.
type Identity [32]byte

// Identify returns the identity of the volume that is opened as name.
func Identify(volumeKey []byte, name, uuid string) Identity {
	d, _ := Measurement(pcr.SHA256, volumeKey, name, uuid) // SHA-256 is always available
	return Identity(d)
}

// Measurement returns what is extended into PCR 15 of a bank for the volume: the HMAC
// with the bank's own hash (systemd, src/shared/tpm2-util.c, tpm2_pcr_extend_bytes).
func Measurement(bank pcr.Bank, volumeKey []byte, name, uuid string) (pcr.Digest, error) {
	if !bank.Available() {
		return nil, fmt.Errorf("measure volume %s: bank %s is not supported", uuid, bank)
	}
	m := hmac.New(func() hash.Hash { return bank.New() }, volumeKey)
	m.Write([]byte("cryptsetup:" + escape(name) + ":" + uuid))
	return m.Sum(nil), nil
}

// escape is systemd's xescape(name, ":"): a name with a colon is not to be taken for
// a name and a UUID.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= 0x7F || c == '\\' || c == ':' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Equal compares in constant time: the other one may come from whoever swapped a disk.
func (i Identity) Equal(other Identity) bool {
	return subtle.ConstantTimeCompare(i[:], other[:]) == 1
}

func (i Identity) String() string { return hex.EncodeToString(i[:]) }

// MarshalText writes hex.
func (i Identity) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads hex.
func (i *Identity) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(i) {
		return fmt.Errorf("%.80q: want %d bytes in hex", text, len(i))
	}
	copy(i[:], b)
	return nil
}
