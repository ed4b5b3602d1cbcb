package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// pcrGroup is the authorization of the PCRs of the dynamic OS, 20 to 22: the group
// that the reference implementation has. All others can be changed by anybody at
// their localities.
type pcrGroup struct {
	auth      []byte // authValue, until the next Startup(CLEAR)
	policy    []byte // persistent authPolicy, empty when there is none
	policyAlg wire.Alg
}

func (g *pcrGroup) clearAuth() {
	clear(g.auth)
	g.auth = nil
}

// HasAuth reports whether the PCR is in the group that can have an authValue and an
// authPolicy.
func (p *PCRs) HasAuth(pcr int) bool { return pcrAttributesOf(pcr).group }

// authOf returns the PCR's authValue.
func (p *PCRs) authOf(pcr int) []byte {
	if p.HasAuth(pcr) {
		return p.group.auth
	}
	return nil
}

// policyOf returns the PCR's authPolicy, TPM_ALG_NULL where there is none.
func (p *PCRs) policyOf(pcr int) (wire.Alg, []byte) {
	if p.HasAuth(pcr) {
		return p.group.policyAlg, p.group.policy
	}
	return wire.AlgNull, nil
}

// SetPCRAuth gives the PCRs of the group an authValue, until the next
// Startup(CLEAR).
func (t *TPM) SetPCRAuth(auth []byte) {
	t.ClearOrderly()
	t.PCR.group.clearAuth()
	t.PCR.group.auth = append([]byte(nil), auth...)
}

// SetPCRPolicy gives the PCRs of the group an authPolicy.
func (t *TPM) SetPCRPolicy(alg wire.Alg, policy []byte) {
	t.PCR.group.policyAlg, t.PCR.group.policy = alg, append([]byte(nil), policy...)
	t.Mark(RecordPCR)
}

// ClearAuth empties the authValues of the PCRs (TPM2_Clear). That counts as a
// change of PCR 0, so that policies on PCRs have to be satisfied again.
func (p *PCRs) ClearAuth() {
	p.group.clearAuth()
	p.changed(0)
}
