package vtpm_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// assertion runs policy commands in a session.
type assertion func(session tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce)

// opens seals data to a policy, and demands that a session with the assertions has
// that policy and unseals the data, and that a session without them does not.
func (b *bench) opens(policy []byte, run assertion, options ...tpm2.AuthOption) {
	b.Helper()
	o := b.load(sealedTemplate(policy), "auth", "the secret data")
	check := func(session tpm2.TPMISHPolicy) {
		b.Helper()
		if d := exec(b, tpm2.PolicyGetDigest{PolicySession: session}).PolicyDigest.Buffer; !bytes.Equal(d, policy) {
			b.Errorf("policyDigest %x, want %x", d, policy)
		}
	}
	trial, end, err := tpm2.PolicySession(b.TPM, tpm2.TPMAlgSHA256, 16, tpm2.Trial())
	if err != nil {
		b.Fatal(err)
	}
	run(trial.Handle(), trial.NonceTPM())
	check(trial.Handle())
	if err := end(); err != nil {
		b.Error(err)
	}
	session := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(_ transport.TPM, h tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
		run(h, nonce)
		check(h)
		return nil
	}, append(b.salted(), options...)...)
	if data := exec(b, tpm2.Unseal{ItemHandle: o.with(session)}).OutData.Buffer; string(data) != "the secret data" {
		b.Errorf("unsealed %q", data)
	}
	nothing := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(transport.TPM, tpm2.TPMISHPolicy, tpm2.TPM2BNonce) error { return nil })
	_, err = tpm2.Unseal{ItemHandle: o.with(nothing)}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCPolicyFail)
}

// policyPCR: the PCRs must have their values; a measurement closes the policy.
func policyPCR(b *bench) {
	measure := tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: 7, Auth: tpm2.PasswordAuth(nil)}, Digests: digestList("x", tpm2.TPMAlgSHA256)}
	must(measure.Execute(b.TPM))(b)
	selection := pcrs(tpm2.TPMAlgSHA256, 7, 4)
	d := tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256, b.pcr(tpm2.TPMAlgSHA256, 4), b.pcr(tpm2.TPMAlgSHA256, 7))}
	policy := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyPCR{PcrDigest: d, Pcrs: selection})
	b.opens(policy, func(s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) {
		exec(b, tpm2.PolicyPCR{PolicySession: s, PcrDigest: d, Pcrs: selection})
	})
	o := b.load(sealedTemplate(policy), "", "the secret data")
	late := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(_ transport.TPM, s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
		exec(b, tpm2.PolicyPCR{PolicySession: s, Pcrs: selection})
		must(measure.Execute(b.TPM))(b)
		return nil
	})
	_, err := tpm2.Unseal{ItemHandle: o.with(late)}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCPCRChanged)
}

// policyBranches: PolicyOR takes one of several policies, PolicyRestart takes all
// back.
func policyBranches(b *bench) {
	first := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyCommandCode{Code: tpm2.TPMCCUnseal})
	second := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyAuthValue{})
	branches := digests(first, second)
	policy := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyOr{PHashList: branches})
	b.opens(policy, func(s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) {
		exec(b, tpm2.PolicyAuthValue{PolicySession: s})
		exec(b, bare{code: tpm2.TPMCCPolicyRestart, handles: []tpm2.AuthHandle{{Handle: s}}})
		if d := exec(b, tpm2.PolicyGetDigest{PolicySession: s}).PolicyDigest.Buffer; !bytes.Equal(d, make([]byte, 32)) {
			b.Errorf("policyDigest after TPM2_PolicyRestart: %x", d)
		}
		exec(b, tpm2.PolicyCommandCode{PolicySession: s, Code: tpm2.TPMCCUnseal})
		exec(b, tpm2.PolicyOr{PolicySession: s, PHashList: branches})
	})
}

// policyAuth: the authValue in the HMAC, or as a password; in the policy they are
// the same.
func policyAuth(b *bench) {
	policy := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyAuthValue{})
	b.opens(policy, func(s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) {
		exec(b, tpm2.PolicyAuthValue{PolicySession: s})
	}, tpm2.Auth([]byte("auth")))

	o := b.load(sealedTemplate(policy), "auth", "the secret data")
	s, end, err := tpm2.PolicySession(b.TPM, tpm2.TPMAlgSHA256, 16, tpm2.Password([]byte("auth")))
	if err != nil {
		b.Fatal(err)
	}
	exec(b, bare{code: tpm2.TPMCCPolicyPassword, handles: []tpm2.AuthHandle{{Handle: s.Handle()}}})
	if data := exec(b, tpm2.Unseal{ItemHandle: o.with(passwordPolicy{s})}).OutData.Buffer; string(data) != "the secret data" {
		b.Errorf("unsealed %q", data)
	}
	if err := end(); err != nil {
		b.Error(err)
	}
}

// passwordPolicy is a policy session with TPM2_PolicyPassword. Its response has a
// nonce, which go-tpm does not expect, and no HMAC.
type passwordPolicy struct{ tpm2.Session }

func (s passwordPolicy) Validate(rc tpm2.TPMRC, cc tpm2.TPMCC, params []byte, names []tpm2.TPM2BName, i int, auth *tpm2.TPMSAuthResponse) error {
	return s.Session.Validate(rc, cc, params, names, i, &tpm2.TPMSAuthResponse{Attributes: auth.Attributes, Authorization: auth.Authorization})
}

// policySecret: an authValue of another entity, with a ticket that says so.
func policySecret(b *bench) {
	k := b.load(sealedTemplate(nil), "auth of the other", "other data")
	cmd := tpm2.PolicySecret{AuthHandle: k.named(), PolicyRef: tpm2.TPM2BNonce{Buffer: []byte("ref")}}
	b.opens(policyOf(b, tpm2.TPMAlgSHA256, cmd), func(s tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) {
		cmd.AuthHandle, cmd.PolicySession, cmd.NonceTPM, cmd.Expiration = k.with(b.auth("auth of the other")), s, nonce, -60
		r := exec(b, cmd)
		if r.PolicyTicket.Tag != tpm2.TPMSTAuthSecret {
			b.Errorf("ticket %+v", r.PolicyTicket)
		}
	})
}

// policySigned: a signature by a key that only the policy knows.
func policySigned(b *bench) {
	ours := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(b)
	public := externalPublic(b, &ours.PublicKey)
	l := must(tpm2.LoadExternal{InPublic: tpm2.New2B(public), Hierarchy: tpm2.TPMRHOwner}.Execute(b.TPM))(b)
	authority := key{l.ObjectHandle, l.Name, public}
	ref := tpm2.TPM2BNonce{Buffer: []byte("ref")}
	policy := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicySigned{AuthObject: authority.named(), PolicyRef: ref})
	b.opens(policy, func(s tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) {
		const expiration = -60
		signed := append(binary.BigEndian.AppendUint32(bytes.Clone(nonce.Buffer), 0xFFFFFFFF-60+1), ref.Buffer...)
		r := exec(b, tpm2.PolicySigned{
			AuthObject: authority.named(), PolicySession: s, NonceTPM: nonce, PolicyRef: ref, Expiration: expiration,
			Auth: signECDSA(b, ours, signed),
		})
		if r.PolicyTicket.Tag != tpm2.TPMSTAuthSigned {
			b.Errorf("ticket %+v", r.PolicyTicket)
		}
	})
}

// signECDSA signs a message outside of the TPM.
func signECDSA(b *bench, k *ecdsa.PrivateKey, message []byte) tpm2.TPMTSignature {
	r, s, err := ecdsa.Sign(rand.Reader, k, digest(crypto.SHA256, message))
	if err != nil {
		b.Fatal(err)
	}
	return tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgECDSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
		Hash:       tpm2.TPMAlgSHA256,
		SignatureR: tpm2.TPM2BECCParameter{Buffer: r.FillBytes(make([]byte, 32))},
		SignatureS: tpm2.TPM2BECCParameter{Buffer: s.FillBytes(make([]byte, 32))},
	})}
}

// policyAuthorize: an authority approves of a policy after the object was made.
func policyAuthorize(b *bench) {
	ours := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(b)
	public := externalPublic(b, &ours.PublicKey)
	l := must(tpm2.LoadExternal{InPublic: tpm2.New2B(public), Hierarchy: tpm2.TPMRHOwner}.Execute(b.TPM))(b)
	authority := key{l.ObjectHandle, l.Name, public}
	approved := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyCommandCode{Code: tpm2.TPMCCUnseal})
	ref := []byte("ref")
	toSign := append(bytes.Clone(approved), ref...)
	verified := exec(b, tpm2.VerifySignature{
		KeyHandle: authority.named(), Digest: tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256, toSign)}, Signature: signECDSA(b, ours, toSign),
	})
	cmd := tpm2.PolicyAuthorize{
		ApprovedPolicy: tpm2.TPM2BDigest{Buffer: approved}, PolicyRef: tpm2.TPM2BDigest{Buffer: ref},
		KeySign: authority.name, CheckTicket: verified.Validation,
	}
	b.opens(policyOf(b, tpm2.TPMAlgSHA256, cmd), func(s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) {
		exec(b, tpm2.PolicyCommandCode{PolicySession: s, Code: tpm2.TPMCCUnseal})
		cmd.PolicySession = s
		exec(b, cmd)
	})
}

// policyNV: the contents of an index decide, or are the policy that is approved.
func policyNV(b *bench) {
	index := b.defineNV(0x01800010, tpm2.TPMNTOrdinary, 34, "")
	approved := policyOf(b, tpm2.TPMAlgSHA256, tpm2.PolicyCommandCode{Code: tpm2.TPMCCUnseal})
	index = b.writeNV(index, append([]byte{0, 0x0B}, approved...))
	cmd := tpm2.PolicyNV{NVIndex: index, OperandB: tpm2.TPM2BOperand{Buffer: []byte{0x0A}}, Offset: 1, Operation: tpm2.TPMEOUnsignedGT}
	b.opens(policyOf(b, tpm2.TPMAlgSHA256, cmd), func(s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) {
		cmd.AuthHandle, cmd.PolicySession = b.by(tpm2.TPMRHOwner, ""), s
		exec(b, cmd)
	})
	authorize := tpm2.PolicyAuthorizeNV{NVIndex: index}
	b.opens(policyOf(b, tpm2.TPMAlgSHA256, authorize), func(s tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) {
		exec(b, tpm2.PolicyCommandCode{PolicySession: s, Code: tpm2.TPMCCUnseal})
		authorize.AuthHandle, authorize.PolicySession = b.by(tpm2.TPMRHOwner, ""), s
		exec(b, authorize)
	})
}
