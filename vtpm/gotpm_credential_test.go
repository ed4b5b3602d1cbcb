package vtpm_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// endorsementPolicy satisfies PolicySecret(TPM_RH_ENDORSEMENT), the policy of the
// low range of endorsement keys (TCG EK Credential Profile, "PolicyA").
func (b *bench) endorsementPolicy(alg tpm2.TPMAlgID, or ...[]byte) tpm2.Session {
	return tpm2.Policy(alg, 16, func(_ transport.TPM, session tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
		exec(b, tpm2.PolicySecret{AuthHandle: b.by(tpm2.TPMRHEndorsement, ""), PolicySession: session, NonceTPM: nonce})
		if or == nil {
			return nil
		}
		exec(b, tpm2.PolicyOr{PolicySession: session, PHashList: digests(or...)})
		return nil
	}, b.salted()...)
}

func digests(list ...[]byte) tpm2.TPMLDigest {
	var l tpm2.TPMLDigest
	for _, d := range list {
		l.Digests = append(l.Digests, tpm2.TPM2BDigest{Buffer: d})
	}
	return l
}

// credentials: a credential that is made for an attestation key comes out where
// both it and the endorsement key are, and nowhere else.
func credentials(b *bench) {
	ek := b.primary(tpm2.TPMRHEndorsement, tpm2.ECCEKTemplate, "")
	ak := b.primary(tpm2.TPMRHOwner, eccTemplate(attestation, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "auth")
	secret := []byte("the credential's secret")
	made := b.makeCredential(ek, ak, secret)
	activate := tpm2.ActivateCredential{
		ActivateHandle: ak.with(b.auth("auth")), KeyHandle: ek.with(b.endorsementPolicy(tpm2.TPMAlgSHA256)),
		CredentialBlob: made.CredentialBlob, Secret: made.Secret,
	}
	if out := exec(b, activate).CertInfo.Buffer; !bytes.Equal(out, secret) {
		b.Errorf("credential %q", out)
	}
	other := b.primary(tpm2.TPMRHOwner, eccTemplate(attestation, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA384), "auth")
	activate.ActivateHandle = other.with(b.auth("auth"))
	_, err := activate.Execute(b)
	wantRC(b, err, tpm2.TPMRCIntegrity)
}

// makeCredential runs TPM2_MakeCredential, whose handle go-tpm knows no Name of: it
// cannot be sent with a session.
func (b *bench) makeCredential(ek, ak key, secret []byte) tpm2.MakeCredentialResponse {
	b.Helper()
	credential := tpm2.TPM2BDigest{Buffer: secret}
	r := exec(b, bare{
		code: tpm2.TPMCCMakeCredential, handles: []tpm2.AuthHandle{{Handle: ek.handle, Name: ek.name}}, in: true, out: true,
		params: append(tpm2.Marshal(credential), tpm2.Marshal(ak.name)...),
	})
	blob := 2 + int(binary.BigEndian.Uint16(r.params))
	return tpm2.MakeCredentialResponse{
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: r.params[2:blob]},
		Secret:         tpm2.TPM2BEncryptedSecret{Buffer: r.params[blob+2:]},
	}
}

// policyC is the TCG EK Credential Profile's "PolicyC", PolicyAuthorizeNV of an
// index that the profile reserves: its digests by hash algorithm.
var policyC = map[tpm2.TPMAlgID]string{
	tpm2.TPMAlgSHA256: "3767e2edd43ff45a3a7e1eaefcef78643dca964632e7aad82c673a30d8633fde",
	tpm2.TPMAlgSHA384: "d6032ce61f2fb3c240eb3cf6a33237ef2b6a16f4293c22b455e261cffd217ad5b4947c2d73e63005eed2dc2b3593d165",
	tpm2.TPMAlgSHA512: "589ee1e146544716e8deafe6db247b01b81e9f9c7dd16b814aa159138749105fba5388dd1dea702f35240c184933121e2c61b8f50d3ef91393a49a38c3f73fc8",
}

// policyB is the profile's "PolicyB", PolicyOR(PolicyA, PolicyC), which the high
// range of endorsement keys has.
var policyB = map[tpm2.TPMAlgID]string{
	tpm2.TPMAlgSHA256: "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0",
	tpm2.TPMAlgSHA384: "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12",
	tpm2.TPMAlgSHA512: "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea",
}

// TestEndorsementKeys: the templates of the TCG EK Credential Profile make keys
// that serve for what they are: a credential is activated with the policy of the
// key, whether the TPM made it or somebody else.
func TestEndorsementKeys(t *testing.T) {
	high := storage
	high.NoDA, high.AdminWithPolicy = false, true
	for _, x := range []struct {
		name     string
		template tpm2.TPMTPublic
		policy   bool // has PolicyB
	}{
		{"L-1 RSA 2048", tpm2.RSAEKTemplate, false},
		{"L-2 P-256", tpm2.ECCEKTemplate, false},
		{"H-1 RSA 2048", rsaTemplate(high, 2048, tpm2.TPMAlgSHA256, 128, 0, 0), true},
		{"H-2 P-256", eccTemplate(high, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 128, 0), true},
		{"H-3 P-384", eccTemplate(high, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, 256, 0), true},
		{"H-4 P-521", eccTemplate(high, tpm2.TPMECCNistP521, tpm2.TPMAlgSHA512, 256, 0), true},
		{"H-6 RSA 3072", rsaTemplate(high, 3072, tpm2.TPMAlgSHA384, 256, 0, 0), true},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := openBench(t, ways[1])
			alg := x.template.NameAlg
			a := policyOf(t, alg, tpm2.PolicySecret{AuthHandle: tpm2.TPMRHEndorsement})
			session := b.endorsementPolicy(alg)
			if x.policy {
				c := must(hex.DecodeString(policyC[alg]))(t)
				or := policyOf(t, alg, tpm2.PolicyOr{PHashList: digests(a, c)})
				if hex.EncodeToString(or) != policyB[alg] {
					t.Errorf("PolicyB is %x", or)
				}
				x.template.AuthPolicy.Buffer = or
				session = b.endorsementPolicy(alg, a, c)
			}
			ek := b.primary(tpm2.TPMRHEndorsement, x.template, "")
			checkTemplate(t, ek.public, x.template)
			ak := b.load(eccTemplate(attestation, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "", "")
			inside := must(tpm2.MakeCredential{Handle: ek.handle, Credential: tpm2.TPM2BDigest{Buffer: []byte("secret")}, ObjectName: ak.name}.Execute(b.TPM))(t)
			blob, seed, err := tpm2.CreateCredential(rand.Reader, must(tpm2.ImportEncapsulationKey(&ek.public))(t), ak.name.Buffer, []byte("secret"))
			if err != nil {
				t.Fatal(err)
			}
			for _, made := range []*tpm2.MakeCredentialResponse{
				inside, {CredentialBlob: tpm2.TPM2BIDObject{Buffer: blob}, Secret: tpm2.TPM2BEncryptedSecret{Buffer: seed}},
			} {
				r := exec(b, tpm2.ActivateCredential{
					ActivateHandle: ak.with(b.auth("")), KeyHandle: ek.with(session), CredentialBlob: made.CredentialBlob, Secret: made.Secret,
				})
				if string(r.CertInfo.Buffer) != "secret" {
					t.Errorf("credential %q", r.CertInfo.Buffer)
				}
			}
		})
	}
}

// TestStorageKeys: every storage key protects and gives back a child, and salts
// the sessions that talk of it.
func TestStorageKeys(t *testing.T) {
	for _, x := range []struct {
		name     string
		template tpm2.TPMTPublic
	}{
		{"RSA 2048, AES-128", tpm2.RSASRKTemplate},
		{"RSA 2048, AES-256", rsaTemplate(storage, 2048, tpm2.TPMAlgSHA256, 256, 0, 0)},
		{"RSA 3072, AES-256", rsaTemplate(storage, 3072, tpm2.TPMAlgSHA384, 256, 0, 0)},
		{"P-256, AES-128", tpm2.ECCSRKTemplate},
		{"P-384, AES-256", eccTemplate(storage, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, 256, 0)},
		{"P-521, AES-256", eccTemplate(storage, tpm2.TPMECCNistP521, tpm2.TPMAlgSHA512, 256, 0)},
		{"P-256, named by SHA-1", eccTemplate(storage, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA1, 128, 0)},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := openBench(t, ways[0])
			srk := b.primary(tpm2.TPMRHOwner, x.template, "auth of the SRK")
			checkTemplate(t, srk.public, x.template)
			checkName(t, srk.public, srk.name)
			b.way = way{name: x.name, bits: 256, salt: srk.handle}
			b.public[srk.handle] = srk.public
			parent := srk.with(b.auth("auth of the SRK"))
			c := exec(b, tpm2.Create{ParentHandle: parent, InSensitive: secret("auth", "the secret data"), InPublic: tpm2.New2B(sealedTemplate(nil))})
			l := exec(b, tpm2.Load{ParentHandle: parent, InPrivate: c.OutPrivate, InPublic: c.OutPublic})
			o := key{handle: l.ObjectHandle, name: l.Name}
			if data := exec(b, tpm2.Unseal{ItemHandle: o.with(b.auth("auth"))}).OutData.Buffer; string(data) != "the secret data" {
				t.Errorf("unsealed %q", data)
			}
		})
	}
}

// TestSigningKeys: keys that TPM2_CreatePrimary and TPM2_Create make sign in each
// scheme; RSA keys have the size and the exponent that was asked for.
func TestSigningKeys(t *testing.T) {
	for _, x := range []struct {
		name     string
		template tpm2.TPMTPublic
		hash     tpm2.TPMAlgID
	}{
		{"RSA 2048 RSASSA", rsaTemplate(signing, 2048, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgRSASSA, tpm2.TPMAlgSHA256), tpm2.TPMAlgSHA256},
		{"RSA 3072 RSAPSS", rsaTemplate(signing, 3072, tpm2.TPMAlgSHA384, 0, tpm2.TPMAlgRSAPSS, tpm2.TPMAlgSHA384), tpm2.TPMAlgSHA384},
		{"RSA 2048 RSAPSS, SHA-512", rsaTemplate(signing, 2048, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgRSAPSS, tpm2.TPMAlgSHA512), tpm2.TPMAlgSHA512},
		{"P-384 ECDSA", eccTemplate(signing, tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, 0, tpm2.TPMAlgSHA384), tpm2.TPMAlgSHA384},
		{"P-521 ECDSA", eccTemplate(signing, tpm2.TPMECCNistP521, tpm2.TPMAlgSHA512, 0, tpm2.TPMAlgSHA512), tpm2.TPMAlgSHA512},
		{"P-256 ECDSA, SHA-1", eccTemplate(signing, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA1), tpm2.TPMAlgSHA1},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := openBench(t, ways[0])
			for _, k := range []key{b.primary(tpm2.TPMRHOwner, x.template, ""), b.load(x.template, "", "")} {
				checkTemplate(t, k.public, x.template)
				d := tpm2.TPM2BDigest{Buffer: digest(hashOf(t, x.hash), []byte("a message"))}
				s := exec(b, tpm2.Sign{KeyHandle: k.with(b.auth("")), Digest: d, InScheme: nullScheme, Validation: noTicket})
				checkSignature(t, k.public, []byte("a message"), s.Signature)
				exec(b, tpm2.VerifySignature{KeyHandle: k.named(), Digest: d, Signature: s.Signature})
			}
		})
	}
}
