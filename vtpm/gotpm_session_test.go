package vtpm_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// startSessions: sessions of each type start, salted or not.
func startSessions(b *bench) {
	for _, typ := range []tpm2.TPMSE{tpm2.TPMSEHMAC, tpm2.TPMSEPolicy, tpm2.TPMSETrial} {
		for _, h := range []tpm2.TPMHandle{tpm2.TPMRHNull, eccParent, rsaParent} {
			cmd := tpm2.StartAuthSession{
				TPMKey: h, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: []byte("0123456789abcdefghij")},
				SessionType: typ, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}, AuthHash: tpm2.TPMAlgSHA256,
			}
			if h != tpm2.TPMRHNull {
				public := b.public[h]
				_, encrypted, err := tpm2.CreateEncryptedSalt(rand.Reader, must(tpm2.ImportEncapsulationKey(&public))(b))
				if err != nil {
					b.Fatal(err)
				}
				cmd.TPMKey = tpm2.NamedHandle{Handle: h, Name: *must(tpm2.ObjectName(&public))(b)}
				cmd.EncryptedSalt.Buffer = encrypted
			}
			r := exec(b, cmd)
			want := tpm2.TPMHTPolicySession
			if typ == tpm2.TPMSEHMAC {
				want = tpm2.TPMHTHMACSession
			}
			if have := tpm2.TPMHT(r.SessionHandle >> 24); have != want || len(r.NonceTPM.Buffer) != 20 {
				b.Errorf("session %#x with a nonce of %d bytes", r.SessionHandle, len(r.NonceTPM.Buffer))
			}
			exec(b, tpm2.FlushContext{FlushHandle: r.SessionHandle})
		}
	}
}

// TestSessionKeys: sessions of every hash, salt, binding and cipher authorize and
// encrypt; those that end with the command, and those that go on.
func TestSessionKeys(t *testing.T) {
	b := openBench(t, ways[0])
	sealedObject := b.load(sealedTemplate(policyOf(t, tpm2.TPMAlgSHA256)), "auth", "the secret data")
	attributes := sealed
	attributes.NoDA = false
	template := sealedTemplate(nil)
	template.ObjectAttributes = attributes
	sealedObject = b.load(template, "auth", "the secret data")
	salts := []key{{}, {handle: eccParent, public: b.public[eccParent]}, {handle: rsaParent, public: b.public[rsaParent]}}
	for _, x := range []tpm2.TPMTPublic{
		eccTemplate(storage, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, 256, 0),
		eccTemplate(storage, tpm2.TPMECCNistP521, tpm2.TPMAlgSHA512, 256, 0),
		eccTemplate(storage, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA1, 128, 0),
	} {
		salts = append(salts, b.primary(tpm2.TPMRHOwner, x, ""))
	}
	other := b.load(sealedTemplate(nil), "auth of the other", "other data")
	for _, hash := range banks {
		for _, salt := range salts {
			for bind, option := range map[string]tpm2.AuthOption{
				"nothing":        func(*sessionOptions) {},
				"the object":     tpm2.Bound(sealedObject.handle, sealedObject.name, []byte("auth")),
				"another object": tpm2.Bound(other.handle, other.name, []byte("auth of the other")),
				"the owner":      tpm2.Bound(tpm2.TPMRHOwner, tpm2.HandleName(tpm2.TPMRHOwner), nil),
			} {
				for _, bits := range []tpm2.TPMKeyBits{0, 128, 256} {
					name := fmt.Sprintf("%v, salted with %#x, bound to %s, AES-%d", hash, salt.handle, bind, bits)
					options := []tpm2.AuthOption{tpm2.Auth([]byte("auth")), option}
					if salt.handle != 0 {
						options = append(options, tpm2.Salted(salt.handle, salt.public))
					}
					if bits != 0 {
						options = append(options, tpm2.AESEncryption(bits, tpm2.EncryptOut))
					}
					b.unsealTwice(name, sealedObject, hash, options)
				}
			}
		}
	}
	_ = transport.TPM(nil)
}
