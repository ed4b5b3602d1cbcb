package vtpm_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// Checks of what the TPM answers, by the standard library.

// hashOf returns the hash function of a TPM_ALG_ID.
func hashOf(t testing.TB, alg tpm2.TPMAlgID) crypto.Hash {
	t.Helper()
	return must(alg.Hash())(t)
}

// checkSignature verifies a signature of a message.
func checkSignature(t testing.TB, public tpm2.TPMTPublic, message []byte, s tpm2.TPMTSignature) {
	t.Helper()
	verify := func(alg tpm2.TPMAlgID, good func(h crypto.Hash, digest []byte) bool) {
		t.Helper()
		h := hashOf(t, alg)
		if d := digest(h, message); !good(h, d) {
			t.Errorf("the signature is wrong")
		}
	}
	switch pub := must(tpm2.Pub(public))(t).(type) {
	case *ecdsa.PublicKey:
		e := must(s.Signature.ECDSA())(t)
		verify(e.Hash, func(_ crypto.Hash, d []byte) bool {
			return ecdsa.Verify(pub, d, new(big.Int).SetBytes(e.SignatureR.Buffer), new(big.Int).SetBytes(e.SignatureS.Buffer))
		})
	case *rsa.PublicKey:
		if s.SigAlg == tpm2.TPMAlgRSAPSS {
			e := must(s.Signature.RSAPSS())(t)
			verify(e.Hash, func(h crypto.Hash, d []byte) bool { return rsa.VerifyPSS(pub, h, d, e.Sig.Buffer, nil) == nil })
			return
		}
		e := must(s.Signature.RSASSA())(t)
		verify(e.Hash, func(h crypto.Hash, d []byte) bool { return rsa.VerifyPKCS1v15(pub, h, d, e.Sig.Buffer) == nil })
	}
}

// checkName compares an object's Name with the hash of its public area.
func checkName(t testing.TB, public tpm2.TPMTPublic, name tpm2.TPM2BName) {
	t.Helper()
	area := tpm2.Marshal(public)
	want := binary.BigEndian.AppendUint16(nil, uint16(public.NameAlg))
	want = append(want, digest(hashOf(t, public.NameAlg), area)...)
	if !bytes.Equal(name.Buffer, want) {
		t.Errorf("Name %x, want %x", name.Buffer, want)
	}
}

// qualified returns the Qualified Name of an object below a parent.
func qualified(t testing.TB, parent, name []byte) []byte {
	t.Helper()
	alg := tpm2.TPMAlgID(binary.BigEndian.Uint16(name))
	return append(bytes.Clone(name[:2]), digest(hashOf(t, alg), parent, name)...)
}

// checkTemplate demands that a public area is the template but for unique.
func checkTemplate(t testing.TB, public, template tpm2.TPMTPublic) {
	t.Helper()
	public.Unique = template.Unique
	if have, want := tpm2.Marshal(public), tpm2.Marshal(template); !bytes.Equal(have, want) {
		t.Errorf("public area %x, want %x", have, want)
	}
}

// creation is what a creation command says of an object's making.
type creation struct {
	data   []byte // TPMS_CREATION_DATA
	hash   tpm2.TPM2BDigest
	ticket tpm2.TPMTTKCreation
}

// checkCreation checks the creation data, its hash, and that the TPM recognizes
// its ticket for the object that was made.
func (b *bench) checkCreation(made key, c creation, want tpm2.TPMSCreationData, hierarchy tpm2.TPMHandle) {
	b.Helper()
	if area := tpm2.Marshal(want); !bytes.Equal(c.data, area) {
		b.Errorf("creation data %x, want %x", c.data, area)
	}
	if d := digest(hashOf(b, made.public.NameAlg), c.data); !bytes.Equal(c.hash.Buffer, d) {
		b.Errorf("creationHash %x, want %x", c.hash.Buffer, d)
	}
	if c.ticket.Tag != tpm2.TPMSTCreation || c.ticket.Hierarchy != hierarchy {
		b.Errorf("creation ticket with tag %#x for hierarchy %#x", c.ticket.Tag, c.ticket.Hierarchy)
	}
	certify := tpm2.CertifyCreation{
		SignHandle: tpm2.TPMRHNull, ObjectHandle: made.named(), CreationHash: c.hash, InScheme: nullScheme, CreationTicket: c.ticket,
	}
	r := must(certify.Execute(b.TPM))(b)
	info := contents(b, r.CertifyInfo)
	if have := must(info.Attested.Creation())(b); !bytes.Equal(have.CreationHash.Buffer, c.hash.Buffer) || !bytes.Equal(have.ObjectName.Buffer, made.name.Buffer) {
		b.Errorf("certified creation %x of %x", have.CreationHash.Buffer, have.ObjectName.Buffer)
	}
	certify.CreationTicket.Digest.Buffer = bytes.Clone(c.ticket.Digest.Buffer)
	certify.CreationTicket.Digest.Buffer[0] ^= 1
	_, err := certify.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCTicket)
}

// checkAttest checks what every attestation structure says, and returns it.
func (b *bench) checkAttest(a tpm2.TPM2BAttest, typ tpm2.TPMST, qualifying string, signer key, signature tpm2.TPMTSignature) tpm2.TPMSAttest {
	b.Helper()
	attest := contents(b, a)
	if err := attest.Magic.Check(); err != nil {
		b.Error(err)
	}
	if attest.Type != typ {
		b.Errorf("attestation of type %#x, want %#x", attest.Type, typ)
	}
	if have := attest.ExtraData.Buffer; string(have) != qualifying {
		b.Errorf("extraData %q, want %q", have, qualifying)
	}
	r := must(tpm2.ReadPublic{ObjectHandle: signer.handle}.Execute(b.TPM))(b)
	if !bytes.Equal(attest.QualifiedSigner.Buffer, r.QualifiedName.Buffer) {
		b.Errorf("qualifiedSigner %x, want %x", attest.QualifiedSigner.Buffer, r.QualifiedName.Buffer)
	}
	checkSignature(b, signer.public, a.Bytes(), signature)
	return attest
}

// policyOf returns the digest of policy commands, computed without the TPM.
func policyOf(t testing.TB, alg tpm2.TPMAlgID, commands ...tpm2.PolicyCommand) []byte {
	t.Helper()
	calculator := must(tpm2.NewPolicyCalculator(alg))(t)
	for _, c := range commands {
		if err := c.Update(calculator); err != nil {
			t.Fatal(err)
		}
	}
	return calculator.Hash().Digest
}
