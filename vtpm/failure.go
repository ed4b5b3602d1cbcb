package vtpm

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// runInFailureMode answers in failure mode, where only TPM2_GetTestResult and
// TPM2_GetCapability work, without sessions (Part 1, "Failure mode").
func (x *execution) runInFailureMode() ([]byte, error) {
	if x.tag != wire.STNoSessions {
		return nil, wire.RCFailure
	}
	switch x.row.Code {
	case wire.CCGetTestResult, wire.CCGetCapability:
	default:
		return nil, wire.RCFailure
	}
	r := wire.NewReader(x.cmd[headerSize:], x.t.Limits())
	x.call = x.row.NewCall()
	if err := x.call.ReadParameters(r); err != nil {
		return nil, wire.RCFailure
	}
	if err := x.call.Run(x.t); err != nil {
		return nil, wire.RCFailure
	}
	var w wire.Writer
	w.U16(uint16(x.tag))
	w.U32(0)
	w.U32(uint32(wire.RCSuccess))
	x.call.WriteParameters(&w)
	w.PatchU32(2, uint32(w.Len()))
	return w.Data(), nil
}
