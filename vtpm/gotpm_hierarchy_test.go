package vtpm_test

import (
	"bytes"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
)

// changeAuth: each authority's authValue is what it was changed to, for the
// owner and the others also after a power cut.
func changeAuth(b *bench) {
	for _, h := range []tpm2.TPMHandle{tpm2.TPMRHOwner, tpm2.TPMRHEndorsement, tpm2.TPMRHLockout, tpm2.TPMRHPlatform} {
		// The response would be authenticated with the new authValue, of which a
		// session of go-tpm does not know: a password authorizes.
		change := func(old, auth string) tpm2.HierarchyChangeAuth {
			return tpm2.HierarchyChangeAuth{
				AuthHandle: tpm2.AuthHandle{Handle: h, Auth: tpm2.PasswordAuth([]byte(old))},
				NewAuth:    tpm2.TPM2BAuth{Buffer: []byte(auth)},
			}
		}
		if h == tpm2.TPMRHEndorsement {
			b.privacyAuth = []byte("first")
		}
		exec(b, change("", "first"))
		if h != tpm2.TPMRHLockout { // a failure would lock it
			_, err := change("", "second").Execute(b.TPM)
			wantRC(b, err, tpm2.TPMRCBadAuth)
		}
		if h != tpm2.TPMRHPlatform {
			b.PowerCycle(b)
		}
		b.privacyAuth = nil
		exec(b, change("first", ""))
	}
}

// clearing: TPM2_Clear forgets the owner's keys and indices, and makes a new seed.
func clearing(b *bench) {
	before := b.primary(tpm2.TPMRHOwner, tpm2.ECCSRKTemplate, "")
	ek := b.primary(tpm2.TPMRHEndorsement, tpm2.ECCEKTemplate, "")
	index := b.defineNV(0x01800001, tpm2.TPMNTOrdinary, 8, "")
	exec(b, tpm2.Clear{AuthHandle: b.by(tpm2.TPMRHLockout, "")})
	for _, h := range []tpm2.TPMHandle{eccParent, rsaParent} {
		_, err := tpm2.ReadPublic{ObjectHandle: h}.Execute(b.TPM)
		wantRC(b, err, tpm2.TPMRCHandle)
	}
	_, err := tpm2.ReadPublic{ObjectHandle: before.handle}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCReferenceH0)
	_, err = tpm2.NVReadPublic{NVIndex: index.Handle}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCHandle)
	if after := b.primary(tpm2.TPMRHOwner, tpm2.ECCSRKTemplate, ""); bytes.Equal(after.name.Buffer, before.name.Buffer) {
		b.Error("the storage root key is the same")
	}
	if after := b.primary(tpm2.TPMRHEndorsement, tpm2.ECCEKTemplate, ""); !bytes.Equal(after.name.Buffer, ek.name.Buffer) {
		b.Error("the endorsement key is another one")
	}
}

// lockingOut: as many wrong guesses as are allowed, then none until the lockout
// authority says so.
func lockingOut(b *bench) {
	guarded := sealedTemplate(nil)
	guarded.ObjectAttributes.NoDA = false
	o := b.load(guarded, "auth", "the secret data")
	var params []byte
	for _, n := range []uint32{2, 1000, 1000} { // tries, recovery time, lockout recovery
		params = binary.BigEndian.AppendUint32(params, n)
	}
	lockout := func() []tpm2.AuthHandle { return []tpm2.AuthHandle{b.by(tpm2.TPMRHLockout, "")} }
	exec(b, bare{code: tpm2.TPMCCDictionaryAttackParameters, handles: lockout(), params: params})
	for range 2 {
		_, err := tpm2.Unseal{ItemHandle: o.with(b.auth("wrong"))}.Execute(b.TPM)
		wantRC(b, err, tpm2.TPMRCAuthFail)
	}
	_, err := tpm2.Unseal{ItemHandle: o.with(b.auth("auth"))}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCLockout)
	exec(b, bare{code: tpm2.TPMCCDictionaryAttackLockReset, handles: lockout()})
	if data := exec(b, tpm2.Unseal{ItemHandle: o.with(b.auth("auth"))}).OutData.Buffer; string(data) != "the secret data" {
		b.Errorf("unsealed %q", data)
	}
}
