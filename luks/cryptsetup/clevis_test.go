package cryptsetup

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/seal"
)

// What clevis encrypts with a TPM is decrypted here: each of its keys and hashes, with PCRs
// and without.
func TestWeOpenClevisTokens(t *testing.T) {
	byToken(t) // skips without what reaches the TPM
	for _, program := range []string{"clevis", "jose", "tpm2_createprimary", "clevis-encrypt-tpm2"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: Debian's packages clevis-tpm2 and tpm2-tools", program)
		}
	}
	tpm, device := simulator(t)
	extend(t, tpm, 7, "firmware")
	const plain = "clevis passphrase"
	for _, config := range []string{
		`{}`,
		`{"pcr_bank":"sha256","pcr_ids":"7"}`,
		`{"pcr_bank":"sha256","pcr_ids":"4,7","hash":"sha1"}`,
		`{"pcr_bank":"sha1","pcr_ids":"7","hash":"sha384","key":"rsa"}`,
	} {
		jwe := clevisEncrypt(t, device, config, plain)
		text, err := json.Marshal(map[string]any{"type": "clevis", "keyslots": []string{"1"}, "jwe": jwe})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := luks.ParseToken(0, text)
		if err != nil {
			t.Fatal(err)
		}
		token := parsed.(*luks.Clevis)
		template, err := seal.ClevisTemplate(token.TPM2.Key, token.TPM2.Hash)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := seal.OpenForeign(tpm, seal.Foreign{
			Parent: seal.Parent{Template: template}, Bank: token.TPM2.Bank, PCRs: token.TPM2.PCRs,
			Objects: []seal.Object{{Public: token.TPM2.Object.Public, Private: token.TPM2.Object.Private}},
		}, nil)
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		if got, err := token.JWE.Open(jwk); err != nil || string(got) != plain {
			t.Errorf("%s: %q, %v", config, got, err)
		}
	}
}

func clevisEncrypt(t *testing.T, device, config, plain string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "clevis", "encrypt", "tpm2", config)
	cmd.Env = append(os.Environ(), "TPM2TOOLS_TCTI="+device, "TMPDIR="+t.TempDir())
	cmd.Stdin = strings.NewReader(plain)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", config, err, stderr(err))
	}
	return strings.TrimSpace(string(out))
}
