package vtpm_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"

	"github.com/google/go-tpm/tpm2"
)

// noTicket is the ticket that an unrestricted key does not need.
var noTicket = tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull}

// hashing: a digest, and a ticket for what does not look like an attestation.
func hashing(b *bench) {
	for _, alg := range banks {
		r := exec(b, tpm2.Hash{Data: tpm2.TPM2BMaxBuffer{Buffer: []byte("some data")}, HashAlg: alg, Hierarchy: tpm2.TPMRHOwner})
		if want := digest(hashOf(b, alg), []byte("some data")); !bytes.Equal(r.OutHash.Buffer, want) {
			b.Errorf("%v: %x, want %x", alg, r.OutHash.Buffer, want)
		}
		if v := r.Validation; v.Tag != tpm2.TPMSTHashCheck || v.Hierarchy != tpm2.TPMRHOwner || len(v.Digest.Buffer) == 0 {
			b.Errorf("ticket %+v", v)
		}
	}
	r := exec(b, tpm2.Hash{Data: tpm2.TPM2BMaxBuffer{Buffer: []byte("\xFFTCG and more")}, HashAlg: tpm2.TPMAlgSHA256, Hierarchy: tpm2.TPMRHOwner})
	if v := r.Validation; v.Hierarchy != tpm2.TPMRHNull || len(v.Digest.Buffer) != 0 {
		b.Errorf("ticket for what looks like an attestation: %+v", v)
	}
}

// macs: the HMAC of a key that was given.
func macs(b *bench) {
	template := hmacTemplate(tpm2.TPMAlgSHA384)
	template.ObjectAttributes.SensitiveDataOrigin = false
	k := b.load(template, "auth", "the HMAC key")
	r := exec(b, tpm2.Hmac{Handle: k.with(b.auth("auth")), Buffer: tpm2.TPM2BMaxBuffer{Buffer: []byte("some data")}, HashAlg: tpm2.TPMAlgSHA384})
	m := hmac.New(crypto.SHA384.New, []byte("the HMAC key"))
	m.Write([]byte("some data"))
	if want := m.Sum(nil); !bytes.Equal(r.OutHMAC.Buffer, want) {
		b.Errorf("HMAC %x, want %x", r.OutHMAC.Buffer, want)
	}
}

// signatures: what a key signs, the standard library and the TPM verify.
func signatures(b *bench) {
	message := []byte("a message")
	d := tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256, message)}
	k := b.primary(tpm2.TPMRHOwner, eccTemplate(signing, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, 0), "auth")
	s := exec(b, tpm2.Sign{KeyHandle: k.with(b.auth("auth")), Digest: d, InScheme: sigScheme(tpm2.TPMAlgECDSA, tpm2.TPMAlgSHA256), Validation: noTicket})
	checkSignature(b, k.public, message, s.Signature)
	v := exec(b, tpm2.VerifySignature{KeyHandle: k.named(), Digest: d, Signature: s.Signature})
	if v.Validation.Tag != tpm2.TPMSTVerified || v.Validation.Hierarchy != tpm2.TPMRHOwner || len(v.Validation.Digest.Buffer) == 0 {
		b.Errorf("ticket %+v", v.Validation)
	}
	other := tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256, []byte("another message"))}
	_, err := tpm2.VerifySignature{KeyHandle: k.named(), Digest: other, Signature: s.Signature}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCSignature)

	// A restricted key signs what the TPM hashed, with a ticket that says so.
	restricted := b.primary(tpm2.TPMRHOwner, eccTemplate(attestation, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "")
	h := exec(b, tpm2.Hash{Data: tpm2.TPM2BMaxBuffer{Buffer: message}, HashAlg: tpm2.TPMAlgSHA256, Hierarchy: tpm2.TPMRHOwner})
	s = exec(b, tpm2.Sign{KeyHandle: restricted.with(b.auth("")), Digest: h.OutHash, InScheme: nullScheme, Validation: h.Validation})
	checkSignature(b, restricted.public, message, s.Signature)
	_, err = tpm2.Sign{KeyHandle: restricted.with(b.auth("")), Digest: h.OutHash, InScheme: nullScheme, Validation: noTicket}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCTicket)
}

// quotes: the digest of the selected PCRs, signed.
func quotes(b *bench) {
	ak := b.primary(tpm2.TPMRHEndorsement, eccTemplate(attestation, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "auth")
	for _, pcr := range []tpm2.TPMHandle{4, 7, 9} {
		must(tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: pcr, Auth: tpm2.PasswordAuth(nil)}, Digests: digestList("x", banks...)}.Execute(b.TPM))(b)
	}
	selection := tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
		{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(4, 7, 9)},
		{Hash: tpm2.TPMAlgSHA1, PCRSelect: tpm2.PCClientCompatible.PCRs(7)},
	}}
	r := exec(b, tpm2.Quote{SignHandle: ak.with(b.auth("auth")), QualifyingData: tpm2.TPM2BData{Buffer: []byte("nonce")}, InScheme: nullScheme, PCRSelect: selection})
	attest := b.checkAttest(r.Quoted, tpm2.TPMSTAttestQuote, "nonce", ak, r.Signature)
	quote := must(attest.Attested.Quote())(b)
	if !bytes.Equal(tpm2.Marshal(quote.PCRSelect), tpm2.Marshal(selection)) {
		b.Errorf("selection %+v", quote.PCRSelect)
	}
	var values []byte
	for _, pcr := range []uint{4, 7, 9} {
		values = append(values, b.pcr(tpm2.TPMAlgSHA256, pcr)...)
	}
	values = append(values, b.pcr(tpm2.TPMAlgSHA1, 7)...)
	if want := digest(crypto.SHA256, values); !bytes.Equal(quote.PCRDigest.Buffer, want) {
		b.Errorf("PCR digest %x, want %x", quote.PCRDigest.Buffer, want)
	}
}

// certification: a key speaks for another one.
func certification(b *bench) {
	ak := b.primary(tpm2.TPMRHEndorsement, eccTemplate(attestation, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "auth")
	k := b.load(eccTemplate(signing, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "auth of the key", "")
	r := exec(b, tpm2.Certify{
		ObjectHandle: k.with(b.auth("auth of the key")), SignHandle: ak.with(b.auth("auth")),
		QualifyingData: tpm2.TPM2BData{Buffer: []byte("nonce")}, InScheme: nullScheme,
	})
	attest := b.checkAttest(r.CertifyInfo, tpm2.TPMSTAttestCertify, "nonce", ak, r.Signature)
	info := must(attest.Attested.Certify())(b)
	public := must(tpm2.ReadPublic{ObjectHandle: k.handle}.Execute(b.TPM))(b)
	if !bytes.Equal(info.Name.Buffer, k.name.Buffer) || !bytes.Equal(info.QualifiedName.Buffer, public.QualifiedName.Buffer) {
		b.Errorf("certified %x, %x", info.Name.Buffer, info.QualifiedName.Buffer)
	}
}
