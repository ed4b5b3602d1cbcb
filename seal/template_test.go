package seal

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// What other programs send to TPM2_CreatePrimary, byte for byte: another byte is another
// key. systemd's are those of its source; tpm2_createprimary's were seen on the bus.
func TestTemplatesAreTheirMakers(t *testing.T) {
	const (
		attributes = "00030072" + "0000" // restricted, decrypt, userWithAuth, sensitiveDataOrigin, fixed; no policy
		aes        = "000600800043"
		ecc        = aes + "0010" + "0003" + "0010" + "0000" + "0000"
		rsa        = aes + "0010" + "0800" + "00000000" + "0000"
	)
	for template, want := range map[Template]string{
		SystemdECC:          "0023" + "000b" + attributes + ecc,
		SystemdRSA:          "0001" + "000b" + attributes + rsa,
		"clevis-ecc-sha256": "0023" + "000b" + attributes + ecc,
		"clevis-rsa-sha256": "0001" + "000b" + attributes + rsa,
		"clevis-ecc-sha1":   "0023" + "0004" + attributes + ecc,
		"clevis-rsa-sha384": "0001" + "000c" + attributes + rsa,
	} {
		pub, err := template.public()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(tpm2.Marshal(pub)); got != want {
			t.Errorf("%s:\nhave %s\nwant %s", template, got, want)
		}
	}
}

func TestUnknownTemplates(t *testing.T) {
	for _, text := range []string{"", "systemd", "systemd-ecc", "systemd-ecc-sha1", "clevis-keyedhash-sha256", "clevis-ecc-sm3_256",
		"clevis-ecc-SHA256", "clevis-ecc-0x000b", "clevis--sha256", "other-ecc-sha256", "systemd-ecc-sha256-"} {
		if _, err := Template(text).public(); err == nil || !strings.Contains(err.Error(), "no template") {
			t.Errorf("%q: %v", text, err)
		}
		if alg := Template(text).Alg(); alg != "" {
			t.Errorf("%q: algorithm %q", text, alg)
		}
	}
	if _, err := ClevisTemplate("symcipher", "sha256"); err == nil {
		t.Error("nothing can be salted to a symmetric key")
	}
	if got, err := ClevisTemplate("rsa", "sha384"); err != nil || got.Alg() != "rsa" {
		t.Errorf("%q, %v", got, err)
	}
}
