package cryptsetup

import (
	"path/filepath"
	"strings"
	"testing"
)

// systemd's own plugin reads what is written here: cryptsetup asks it for the lines
// of its dump.
func TestSystemdsPluginReadsOurTokens(t *testing.T) {
	v := volume(t)
	plugins, err := filepath.Glob("/usr/lib/*/cryptsetup/libcryptsetup-token-systemd-tpm2.so")
	if err != nil || len(plugins) == 0 {
		t.Skip("libcryptsetup-token-systemd-tpm2.so is not installed: it is in Debian's package systemd")
	}
	if _, err := v.ImportToken(t.Context(), token(t, 0)); err != nil {
		t.Fatal(err)
	}
	text, err := v.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, tokens, _ := strings.Cut(text, "Tokens:\n")
	lines := strings.Join(strings.Fields(tokens), " ")
	for _, want := range []string{
		"0: systemd-tpm2", "tpm2-hash-pcrs: 4+7+11", "tpm2-pcr-bank: sha256", "tpm2-primary-alg: ecc",
		// TPM2B_PRIVATE of 9 bytes, TPM2B_PUBLIC of 6.
		"tpm2-blob: 00 09 70 72 69 76 61 74 65 2f 2b 00 06 70 75 62 6c 69 63", "tpm2-pin: false", "Keyslot: 0",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in the dump:\n%s", want, tokens)
		}
	}
}
