package manufacture

import (
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// PolicyA returns the policy of endorsement keys in the low range: the endorsement
// hierarchy's authorization, by TPM2_PolicySecret (EK Credential Profile, "Policy A").
func PolicyA(hash tpm2.TPMAlgID) ([]byte, error) {
	return policy(hash, tpm2.PolicySecret{AuthHandle: tpm2.TPMRHEndorsement}.Update)
}

// PolicyB returns the policy of endorsement keys in the high range: policy A, or what the
// policy index approves (EK Credential Profile, "Policy B"). Who uses policy A satisfies it
// with TPM2_PolicyOR over both.
func PolicyB(hash tpm2.TPMAlgID) ([]byte, error) {
	branches, err := PolicyBranches(hash)
	if err != nil {
		return nil, err
	}
	return policy(hash, tpm2.PolicyOr{PHashList: branches}.Update)
}

// PolicyBranches returns policies A and C, the operands of policy B's TPM2_PolicyOR.
func PolicyBranches(hash tpm2.TPMAlgID) (tpm2.TPMLDigest, error) {
	a, err := PolicyA(hash)
	if err != nil {
		return tpm2.TPMLDigest{}, err
	}
	c, err := policyC(hash)
	if err != nil {
		return tpm2.TPMLDigest{}, err
	}
	return tpm2.TPMLDigest{Digests: []tpm2.TPM2BDigest{{Buffer: a}, {Buffer: c}}}, nil
}

// policyC is the policy that a written policy index approves, by TPM2_PolicyAuthorizeNV
// (EK Credential Profile, "Policy C" and "Policy NV Indices").
func policyC(hash tpm2.TPMAlgID) ([]byte, error) {
	index, err := policyIndex(hash)
	if err != nil {
		return nil, err
	}
	name, err := tpm2.NVName(index)
	if err != nil {
		return nil, fmt.Errorf("compute the Name of the policy index 0x%08x: %w", uint32(index.NVIndex), err)
	}
	handle := tpm2.NamedHandle{Handle: tpm2.TPMHandle(index.NVIndex), Name: *name}
	return policy(hash, tpm2.PolicyAuthorizeNV{NVIndex: handle}.Update)
}

// policyIndex returns the public area that a policy index has once it is written. Nothing
// here defines it: that is for who wants to use a policy of their own.
func policyIndex(hash tpm2.TPMAlgID) (*tpm2.TPMSNVPublic, error) {
	index := map[tpm2.TPMAlgID]tpm2.TPMIRHNVIndex{
		tpm2.TPMAlgSHA256: 0x01C07F01,
		tpm2.TPMAlgSHA384: 0x01C07F02,
		tpm2.TPMAlgSHA512: 0x01C07F03,
	}[hash]
	if index == 0 {
		return nil, fmt.Errorf("there is no policy index for hash algorithm 0x%04x", uint16(hash))
	}
	digest, err := PolicyA(hash)
	if err != nil {
		return nil, err
	}
	return &tpm2.TPMSNVPublic{
		NVIndex: index,
		NameAlg: hash,
		Attributes: tpm2.TPMANV{
			PolicyWrite: true,
			WriteAll:    true,
			PPRead:      true,
			OwnerRead:   true,
			AuthRead:    true,
			PolicyRead:  true,
			NoDA:        true,
			Written:     true,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: digest},
		DataSize:   uint16(2 + len(digest)), // a TPMT_HA
	}, nil
}

// policy returns the digest of a policy of one assertion.
func policy(hash tpm2.TPMAlgID, update func(*tpm2.PolicyCalculator) error) ([]byte, error) {
	c, err := tpm2.NewPolicyCalculator(hash)
	if err == nil {
		err = update(c)
	}
	if err != nil {
		return nil, fmt.Errorf("compute a policy: %w", err)
	}
	return c.Hash().Digest, nil
}
