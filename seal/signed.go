package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Signed is the part of a policy that the owner of a key satisfies for values of PCRs
// that nobody knows yet, by signing them: TPM2_PolicyAuthorize. Signatures are those of
// package pcrsig.
type Signed struct {
	PublicKey string        `json:"public_key"` // PEM, see pcrsig.ParseKey
	PCRs      pcr.Selection `json:"pcrs"`       // of the policy's bank
	// ZeroExponent is whether the key's public area has an RSA exponent of 0, which
	// stands for 65537 as well, but gives another Name. systemd 252 has 65537 there, as
	// bootseal; 255 and later write 0, and 257 was seen to read both.
	ZeroExponent bool `json:"zero_exponent,omitempty"`
}

func (s *Signed) check() error {
	if s.PCRs == 0 {
		return errors.New("a public key without PCRs that it signs for")
	}
	_, err := pcrsig.ParseKey(s.PublicKey)
	return err
}

// public returns the key as TPM2_LoadExternal takes it, and its Name: systemd's public
// area (src/shared/tpm2-util.c), since the policy depends on every bit of it.
func (s *Signed) public() (tpm2.TPMTPublic, tpm2.TPM2BName, error) {
	k, err := pcrsig.ParseKey(s.PublicKey)
	if err != nil {
		return tpm2.TPMTPublic{}, tpm2.TPM2BName{}, err
	}
	parms := &tpm2.TPMSRSAParms{KeyBits: tpm2.TPMKeyBits(k.Public.N.BitLen()), Exponent: uint32(k.Public.E)}
	if s.ZeroExponent {
		parms.Exponent = 0
	}
	pub := tpm2.TPMTPublic{
		Type:             tpm2.TPMAlgRSA,
		NameAlg:          policyHash,
		ObjectAttributes: tpm2.TPMAObject{UserWithAuth: true, Decrypt: true, SignEncrypt: true},
		Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, parms),
		Unique:           tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: k.Public.N.Bytes()}),
	}
	name, err := tpm2.ObjectName(&pub)
	if err != nil {
		return tpm2.TPMTPublic{}, tpm2.TPM2BName{}, err
	}
	return pub, *name, nil
}

// digest is a policy's after TPM2_PolicyAuthorize, which forgets what was before it
// (Part 3, "TPM2_PolicyAuthorize": PolicyUpdate with the key's Name and no policyRef).
func (s *Signed) digest() ([]byte, error) {
	_, name, err := s.public()
	if err != nil {
		return nil, err
	}
	d := extendPolicy(make([]byte, sha256.Size), tpm2.TPMCCPolicyAuthorize, name.Buffer)
	sum := sha256.Sum256(d)
	return sum[:], nil
}

// approval is a TPM's word that the key has signed a policy of the PCRs as they are.
type approval struct {
	values pcr.Values
	policy []byte
	ticket tpm2.TPMTTKVerified
}

// PCRPolicy returns the policy digest that the key of a [Signed] signs for these values of
// the selected PCRs, 32 bytes: a fresh session's after TPM2_PolicyPCR.
func PCRPolicy(values pcr.Values, sel pcr.BankSelection) (pcr.Digest, error) {
	b, err := NewBranch("", values, sel)
	if err != nil {
		return nil, err
	}
	if len(b.PCRs) == 0 {
		return nil, errors.New("policy: no PCRs")
	}
	return Digest(Policy{Bank: sel.Bank, Branches: []Branch{b}})
}

// approve finds a signature for the PCRs as they are, and has the TPM verify it. The first
// that the TPM takes counts.
func (s *Signed) approve(tpm transport.TPM, bank pcr.Bank, values pcr.Values, files []pcrsig.File) (*approval, error) {
	k, err := pcrsig.ParseKey(s.PublicKey)
	if err != nil {
		return nil, err
	}
	policy, err := PCRPolicy(values, pcr.BankSelection{Bank: bank, PCRs: s.PCRs})
	if err != nil {
		return nil, err
	}
	missing := &SignatureError{Bank: bank, PCRs: s.PCRs, Key: k.Fingerprint(), Policy: policy}
	for _, f := range files {
		for _, have := range f[bank] {
			if have.Key == missing.Key && have.PCRs == s.PCRs {
				missing.Others++
			}
		}
		for _, sig := range f.Find(bank, s.PCRs, missing.Key, policy) {
			if missing.Err = k.Verify(&sig); missing.Err != nil {
				continue
			}
			ticket, err := s.verify(tpm, &sig)
			if err != nil {
				return nil, err
			}
			return &approval{values: values, policy: policy, ticket: ticket}, nil
		}
	}
	return nil, missing
}

// verify has the TPM verify a signature. The key goes into the owner hierarchy, since in
// the null hierarchy no ticket is made (Part 3, "TPM2_VerifySignature").
func (s *Signed) verify(tpm transport.TPM, sig *pcrsig.Signature) (ticket tpm2.TPMTTKVerified, err error) {
	pub, name, err := s.public()
	if err != nil {
		return ticket, err
	}
	loaded, err := tpm2.LoadExternal{InPublic: tpm2.New2B(pub), Hierarchy: tpm2.TPMRHOwner}.Execute(tpm)
	if err != nil {
		return ticket, explain("load the public key of the policy", err)
	}
	defer flush(tpm, loaded.ObjectHandle)
	if !bytes.Equal(loaded.Name.Buffer, name.Buffer) {
		return ticket, fmt.Errorf("load the public key of the policy: the TPM loaded one with Name %x: want %x", loaded.Name.Buffer, name.Buffer)
	}
	digest := sha256.Sum256(sig.Policy)
	rsp, err := tpm2.VerifySignature{
		KeyHandle: loaded.ObjectHandle,
		Digest:    tpm2.TPM2BDigest{Buffer: digest[:]},
		Signature: tpm2.TPMTSignature{
			SigAlg: tpm2.TPMAlgRSASSA,
			Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgRSASSA, &tpm2.TPMSSignatureRSA{
				Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: sig.Sig},
			}),
		},
	}.Execute(tpm)
	if err != nil {
		return ticket, explain("verify the signature of the policy", err)
	}
	return rsp.Validation, nil
}

// satisfy runs TPM2_PolicyPCR and TPM2_PolicyAuthorize in a session. Without an approval
// it is for trial sessions, in which neither values nor a signature count.
func (s *Signed) satisfy(tpm transport.TPM, session tpm2.TPMHandle, bank pcr.Bank, a *approval) error {
	_, name, err := s.public()
	if err != nil {
		return err
	}
	cmd := tpm2.PolicyAuthorize{
		PolicySession: session,
		KeySign:       name,
		CheckTicket:   tpm2.TPMTTKVerified{Tag: tpm2.TPMSTVerified, Hierarchy: tpm2.TPMRHNull},
	}
	if a != nil {
		b, err := NewBranch("", a.values, pcr.BankSelection{Bank: bank, PCRs: s.PCRs})
		if err != nil {
			return err
		}
		if err := (Policy{Bank: bank}).satisfyPCRs(tpm, session, b); err != nil {
			return err
		}
		cmd.ApprovedPolicy.Buffer, cmd.CheckTicket = a.policy, a.ticket
	}
	_, err = cmd.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCValue) {
		// Part 3, "TPM2_PolicyAuthorize": the session's digest is not the approved one.
		return fmt.Errorf("use the signed policy: %w", &PolicyError{Err: err})
	}
	if err != nil {
		return explain("use the signed policy", err)
	}
	return nil
}

// Fit returns the policy in the form that leads to an object's authPolicy, and whether
// there is one: programs differ about the exponent in a public key's Name.
func (p Policy) Fit(authPolicy []byte) (Policy, bool) {
	for _, zero := range []bool{false, true} {
		if p.Signed != nil {
			signed := *p.Signed
			signed.ZeroExponent = zero
			p.Signed = &signed
		}
		if d, err := Digest(p); err == nil && bytes.Equal(d, authPolicy) {
			return p, true
		}
	}
	return p, false
}
