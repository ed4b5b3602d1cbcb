package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type setCommandCodeAuditStatusIn struct {
	Auth      wire.TPMIRHProvision
	AuditAlg  wire.TPMIAlgHash `tpm:"+"`
	SetList   wire.TPMLCC
	ClearList wire.TPMLCC
}

// TPM2_SetCommandCodeAuditStatus, Part 3, 21.2: say which commands are audited, or
// set the hash algorithm of the audit digest, but not both at once.
func setCommandCodeAuditStatus(t *engine.TPM, in *setCommandCodeAuditStatusIn) error {
	if alg := wire.Alg(in.AuditAlg); alg != wire.AlgNull && alg != t.Audit.Alg {
		if len(in.SetList) != 0 || len(in.ClearList) != 0 {
			return wire.RCValue.Param(1)
		}
		t.SetAuditAlg(alg)
		return nil
	}
	for _, cc := range in.SetList {
		// An audit of TPM2_Shutdown would undo it.
		if t.Commands.Implemented(cc) && cc != wire.CCShutdown {
			t.AuditCommand(cc, true)
		}
	}
	for _, cc := range in.ClearList {
		// What turns the audit off is always audited.
		if cc != wire.CCSetCommandCodeAuditStatus {
			t.AuditCommand(cc, false)
		}
	}
	return nil
}
