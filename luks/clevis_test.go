package luks

import (
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

// sampleJWK is what the TPM unsealed from the sample's clevis token (tpm2_unseal).
const sampleJWK = `{"alg":"A256GCM","k":"Z30x_NpPKL_K9PO29y9XR4jGda0GedIRSwciwZ2jiT4","key_ops":["encrypt","decrypt"],"kty":"oct"}`

func TestClevis(t *testing.T) {
	token := sampleToken[*Clevis](t, 4)
	tpm := token.TPM2
	if token.Pin != "tpm2" || tpm == nil {
		t.Fatalf("%+v", token)
	}
	if tpm.Hash != "sha256" || tpm.Key != "ecc" || tpm.Bank != pcr.SHA256 || tpm.PCRs != pcr.Select(7, 9) {
		t.Errorf("%+v", tpm)
	}
	if len(tpm.Object.Public) != 0x4e || len(tpm.Object.Private) != 0xee || tpm.Object.Seed != nil {
		t.Errorf("object with %d and %d bytes", len(tpm.Object.Public), len(tpm.Object.Private))
	}
	passphrase, err := token.JWE.Open([]byte(sampleJWK))
	if err != nil || string(passphrase) != "clevis passphrase" {
		t.Errorf("%q, %v", passphrase, err)
	}
	if out, err := token.MarshalJSON(); err != nil || string(out) != string(sampleMetadata(t).Tokens[4]) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestJWEOpenRefuses(t *testing.T) {
	for _, c := range []struct{ reason, jwk, says string }{
		{"another key", strings.Replace(sampleJWK, `"k":"Z3`, `"k":"Z4`, 1), "does not open with the key"},
		{"half a key", `{"k":"AAAA"}`, "without a key of 32 bytes"},
		{"no key", `{"kty":"oct"}`, "without a key"},
		{"no JWK", "secret!", "no JWK"},
	} {
		token := sampleToken[*Clevis](t, 4)
		_, err := token.JWE.Open([]byte(c.jwk))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret!") {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
	token := sampleToken[*Clevis](t, 4)
	token.JWE.Enc = "A128CBC-HS256"
	if _, err := token.JWE.Open([]byte(sampleJWK)); err == nil || !strings.Contains(err.Error(), "want dir and A256GCM") {
		t.Error(err)
	}
	token = sampleToken[*Clevis](t, 4)
	token.JWE.protected += "A"
	if _, err := token.JWE.Open([]byte(sampleJWK)); err == nil {
		t.Error("a header that was changed opens")
	}
}

// Other pins are named, so that a person can be told why they cannot be taken over.
func TestClevisWithAnotherPin(t *testing.T) {
	const text = `{"type":"clevis","keyslots":["1"],"jwe":{"protected":"eyJjbGV2aXMiOnsicGluIjoidGFuZyJ9fQ","iv":"","ciphertext":"","tag":""}}`
	token, err := ParseToken(0, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if c := token.(*Clevis); c.Pin != "tang" || c.TPM2 != nil {
		t.Errorf("%+v", c)
	}
	for _, c := range []struct{ from, to, says string }{
		{`"jwe"`, `"jwf"`, `field "jwe": it is missing`},
		{`"tag":""`, `"tag":"?"`, `field "jwe": field "tag": not base64url`},
		{`"iv":"",`, ``, `field "iv": it is missing`},
		{`"eyJ`, `"`, `field "protected"`},
	} {
		if _, err := ParseToken(0, []byte(strings.Replace(text, c.from, c.to, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
}
