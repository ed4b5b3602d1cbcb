package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyAuthorizeNVIn struct {
	AuthHandle    wire.TPMIRHNVAuth
	NVIndex       wire.TPMIRHNVIndex
	PolicySession wire.TPMISHPolicy
}

// TPM2_PolicyAuthorizeNV, Part 3, 23.22: let an NV Index say which policy is
// approved. Its contents are a TPMT_HA; what comes after that is ignored.
func policyAuthorizeNV(t *engine.TPM, in *policyAuthorizeNVIn) error {
	s := policySession(t, in.PolicySession)
	x := t.NV.At(in.NVIndex.Handle())
	if !s.IsTrial() {
		if err := nvReadable(in.AuthHandle.Handle(), x); err != nil {
			return err
		}
		var approved wire.TPMTHA
		r := wire.NewReader(x.Data, t.Limits())
		approved.Read(r)
		if err := r.Err(); err != nil {
			return err
		}
		if approved.HashAlg != s.AuthHash {
			return wire.RCHash
		}
		if !bytes.Equal(approved.Digest, s.Policy.Digest) {
			return wire.RCValue
		}
	}
	resetPolicyDigest(s)
	extendPolicy(s, wire.CCPolicyAuthorizeNV, x.Name())
	return nil
}
