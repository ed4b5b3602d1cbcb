package command_test

import "testing"

// keysOfType make a signing key without a scheme of its own, for each type of key that
// signs: $key. They say which schemes are the type's.
var keysOfType = []struct {
	setup   string
	schemes []string
}{
	{"any-hmac-key", []string{"TPM_ALG_HMAC"}},
	{"rsa-signing", []string{"TPM_ALG_RSASSA", "TPM_ALG_RSAPSS"}},
	{"ecc-signing", []string{"TPM_ALG_ECDSA", "TPM_ALG_ECDAA", "TPM_ALG_SM2", "TPM_ALG_ECSCHNORR"}},
}

// signingCommands are the commands that sign with the scheme %s, which is the parameter
// with the number at.
var signingCommands = []struct {
	line string
	at   int
}{
	{"TPM2_Sign $key ; pw : (zeros:32) %s TPM_ST_HASHCHECK TPM_RH_NULL ()", 2},
	{"TPM2_Quote $key ; pw : () %s u32:0", 2},
	{"TPM2_Certify $key $key ; pw ; pw : () %s", 2},
	{"TPM2_CertifyCreation $key $key ; pw : () () %s TPM_ST_CREATION TPM_RH_NULL ()", 3},
	{"TPM2_GetTime TPM_RH_ENDORSEMENT $key ; pw ; pw : () %s", 2},
	{"TPM2_GetCommandAuditDigest TPM_RH_ENDORSEMENT $key ; pw ; pw : () %s", 2},
	{"TPM2_GetSessionAuditDigest TPM_RH_ENDORSEMENT $key $h ; pw ; pw : () %s", 2},
	{"TPM2_NV_Certify $key TPM_RH_OWNER 01500000 ; pw ; pw : () %s u16:8 u16:0", 2},
}

// TestSchemeOfOtherType: no command signs with a key by the scheme of another type of
// key. An HMAC key with an RSA or an ECC scheme read what is not the key's in C
// (CVE-2025-2884, CVE-2025-49133); the answer is TPM_RC_SCHEME.
func TestSchemeOfOtherType(t *testing.T) {
	for _, own := range keysOfType {
		t.Run(own.setup, func(t *testing.T) {
			t.Parallel()
			v := newVector(t)
			v.run("use hmac\nuse nv-data\nuse %s", own.setup)
			for _, other := range keysOfType {
				if other.setup == own.setup {
					continue
				}
				for _, scheme := range other.schemes {
					if scheme += " TPM_ALG_SHA256"; scheme == "TPM_ALG_ECDAA TPM_ALG_SHA256" {
						scheme += " u16:0"
					}
					for _, command := range signingCommands {
						v.run(command.line+"\n= TPM_RC_SCHEME parameter %d", scheme, command.at)
					}
				}
			}
		})
	}
}

// TestSignatureOfOtherType: no key takes a signature by the scheme of another type of
// key for its own, nor where a policy asks for one.
func TestSignatureOfOtherType(t *testing.T) {
	signatures := map[string]string{
		"any-hmac-key": "TPM_ALG_HMAC TPM_ALG_SHA256 zeros:32",
		"rsa-signing":  "TPM_ALG_RSASSA TPM_ALG_SHA256 (zeros:256)",
		"ecc-signing":  "TPM_ALG_ECDSA TPM_ALG_SHA256 (zeros:32) (zeros:32)",
	}
	for _, own := range keysOfType {
		v := newVector(t)
		v.run("use policy\nuse %s", own.setup)
		for name, signature := range signatures {
			if name != own.setup {
				v.run("TPM2_VerifySignature $key : (zeros:32) %s\n= TPM_RC_SCHEME parameter 2", signature)
				v.run("TPM2_PolicySigned $key $s : () () () u32:0 %s\n= TPM_RC_SCHEME parameter 5", signature)
			}
		}
	}
}
