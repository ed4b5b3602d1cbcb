package wire

// TPMUCapabilities is TPMU_CAPABILITIES: the member of the capability is meant,
// the others are nil.
type TPMUCapabilities struct {
	Algorithms    TPMLAlgProperty       // TPM_CAP_ALGS
	Handles       TPMLHandle            // TPM_CAP_HANDLES
	Command       TPMLCCA               // TPM_CAP_COMMANDS
	PPCommands    TPMLCC                // TPM_CAP_PP_COMMANDS
	AuditCommands TPMLCC                // TPM_CAP_AUDIT_COMMANDS
	AssignedPCR   TPMLPCRSelection      // TPM_CAP_PCRS
	TPMProperties TPMLTaggedTPMProperty // TPM_CAP_TPM_PROPERTIES
	PCRProperties TPMLTaggedPCRProperty // TPM_CAP_PCR_PROPERTIES
	ECCCurves     TPMLECCCurve          // TPM_CAP_ECC_CURVES
	AuthPolicies  TPMLTaggedPolicy      // TPM_CAP_AUTH_POLICIES
	ACTData       TPMLACTData           // TPM_CAP_ACT
}

// TPMSCapabilityData is TPMS_CAPABILITY_DATA, an answer of TPM2_GetCapability.
type TPMSCapabilityData struct {
	Capability Cap
	Data       TPMUCapabilities
}

// list returns the member of u that the capability c has, or nil: of
// TPM_CAP_VENDOR_PROPERTY nothing is defined.
func (u *TPMUCapabilities) list(c Cap) Value {
	switch c {
	case CapAlgs:
		return &u.Algorithms
	case CapHandles:
		return &u.Handles
	case CapCommands:
		return &u.Command
	case CapPPCommands:
		return &u.PPCommands
	case CapAuditCommands:
		return &u.AuditCommands
	case CapPCRs:
		return &u.AssignedPCR
	case CapTPMProperties:
		return &u.TPMProperties
	case CapPCRProperties:
		return &u.PCRProperties
	case CapECCCurves:
		return &u.ECCCurves
	case CapAuthPolicies:
		return &u.AuthPolicies
	case CapACT:
		return &u.ACTData
	}
	return nil
}

// Read reads the structure; TPM_RC_SELECTOR for a capability without data.
func (d *TPMSCapabilityData) Read(r *Reader) {
	*d = TPMSCapabilityData{}
	d.Capability.Read(r)
	if l := d.Data.list(d.Capability); l != nil {
		l.Read(r)
	} else {
		r.Fail(RCSelector)
	}
}

// Write appends the structure.
func (d TPMSCapabilityData) Write(w *Writer) {
	d.Capability.Write(w)
	if l := d.Data.list(d.Capability); l != nil {
		l.Write(w)
	}
}
