package wire

// Constants of the specification that TPM2_GetCapability reports (Part 2,
// "TPM_SPEC" and "TPM_GENERATED").
const (
	SpecFamily    uint32 = 0x322E3000 // "2.0", with a zero byte at the end
	SpecLevel     uint32 = 0
	SpecVersion   uint32 = 184
	SpecYear      uint32 = 2025
	SpecDayOfYear uint32 = 79

	// GeneratedValue starts every structure that the TPM signs about itself, and
	// nothing else that a restricted key signs: 0xFF "TCG".
	GeneratedValue uint32 = 0xFF544347
)

// ST is a TPM_ST, a structure tag (Part 2, "TPM_ST").
type ST uint16

// Structure tags.
const (
	STRspCommand         ST = 0x00C4 // a response to a malformed or TPM 1.2 command
	STNull               ST = 0x8000
	STNoSessions         ST = 0x8001
	STSessions           ST = 0x8002
	STAttestNV           ST = 0x8014
	STAttestCommandAudit ST = 0x8015
	STAttestSessionAudit ST = 0x8016
	STAttestCertify      ST = 0x8017
	STAttestQuote        ST = 0x8018
	STAttestTime         ST = 0x8019
	STAttestCreation     ST = 0x801A
	STAttestNVDigest     ST = 0x801C
	STCreation           ST = 0x8021
	STVerified           ST = 0x8022
	STAuthSecret         ST = 0x8023
	STHashCheck          ST = 0x8024
	STAuthSigned         ST = 0x8025
	STFUManifest         ST = 0x8029
)

// Read reads a structure tag; TPM_RC_VALUE for any other number.
func (t *ST) Read(r *Reader) {
	*t = ST(r.U16())
	switch {
	case *t == STRspCommand, *t >= STNull && *t <= STSessions,
		*t >= STAttestNV && *t <= STAttestCreation, *t == STAttestNVDigest,
		*t >= STCreation && *t <= STAuthSigned, *t == STFUManifest:
	default:
		r.Fail(RCValue)
	}
}

// Write appends the tag.
func (t ST) Write(w *Writer) { w.U16(uint16(t)) }

// SU is a TPM_SU, a kind of startup or shutdown (Part 2, "TPM_SU").
type SU uint16

// Kinds of startup and shutdown.
const (
	SUClear SU = 0x0000
	SUState SU = 0x0001
)

// Read reads a startup type; TPM_RC_VALUE for any other number.
func (s *SU) Read(r *Reader) {
	if *s = SU(r.U16()); *s > SUState {
		r.Fail(RCValue)
	}
}

// Write appends the startup type.
func (s SU) Write(w *Writer) { w.U16(uint16(s)) }

// SE is a TPM_SE, a session type (Part 2, "TPM_SE").
type SE uint8

// Session types.
const (
	SEHMAC   SE = 0x00
	SEPolicy SE = 0x01
	SETrial  SE = 0x03
)

// Read reads a session type; TPM_RC_VALUE for any other number.
func (s *SE) Read(r *Reader) {
	*s = SE(r.U8())
	if *s != SEHMAC && *s != SEPolicy && *s != SETrial {
		r.Fail(RCValue)
	}
}

// Write appends the session type.
func (s SE) Write(w *Writer) { w.U8(uint8(s)) }

// EO is a TPM_EO, an arithmetic comparison (Part 2, "TPM_EO"). Operand A comes
// from the TPM, operand B from the caller.
type EO uint16

// Comparisons.
const (
	EOEq         EO = 0x0000
	EONeq        EO = 0x0001
	EOSignedGT   EO = 0x0002
	EOUnsignedGT EO = 0x0003
	EOSignedLT   EO = 0x0004
	EOUnsignedLT EO = 0x0005
	EOSignedGE   EO = 0x0006
	EOUnsignedGE EO = 0x0007
	EOSignedLE   EO = 0x0008
	EOUnsignedLE EO = 0x0009
	EOBitSet     EO = 0x000A // all bits of B are set in A
	EOBitClear   EO = 0x000B // all bits of B are clear in A
)

// Read reads a comparison; TPM_RC_VALUE for any other number.
func (e *EO) Read(r *Reader) {
	if *e = EO(r.U16()); *e > EOBitClear {
		r.Fail(RCValue)
	}
}

// Write appends the comparison.
func (e EO) Write(w *Writer) { w.U16(uint16(e)) }

// ClockAdjust is a TPM_CLOCK_ADJUST, a change of the clock's rate (Part 2,
// "TPM_CLOCK_ADJUST").
type ClockAdjust int8

// Changes of the clock's rate.
const (
	ClockCoarseSlower ClockAdjust = -3
	ClockMediumSlower ClockAdjust = -2
	ClockFineSlower   ClockAdjust = -1
	ClockNoChange     ClockAdjust = 0
	ClockFineFaster   ClockAdjust = 1
	ClockMediumFaster ClockAdjust = 2
	ClockCoarseFaster ClockAdjust = 3
)

// Read reads a change of rate; TPM_RC_VALUE for any other number.
func (c *ClockAdjust) Read(r *Reader) {
	*c = ClockAdjust(r.U8())
	if *c < ClockCoarseSlower || *c > ClockCoarseFaster {
		r.Fail(RCValue)
	}
}

// Write appends the change of rate.
func (c ClockAdjust) Write(w *Writer) { w.U8(uint8(c)) }

// Cap is a TPM_CAP, a group of capabilities (Part 2, "TPM_CAP").
type Cap uint32

// Groups of capabilities.
const (
	CapAlgs            Cap = 0x00000000
	CapHandles         Cap = 0x00000001
	CapCommands        Cap = 0x00000002
	CapPPCommands      Cap = 0x00000003
	CapAuditCommands   Cap = 0x00000004
	CapPCRs            Cap = 0x00000005
	CapTPMProperties   Cap = 0x00000006
	CapPCRProperties   Cap = 0x00000007
	CapECCCurves       Cap = 0x00000008
	CapAuthPolicies    Cap = 0x00000009
	CapACT             Cap = 0x0000000A
	CapPubKeys         Cap = 0x0000000B
	CapSPDMSessionInfo Cap = 0x0000000C
	CapVendorProperty  Cap = 0x00000100
)

// Read reads a group of capabilities; TPM_RC_VALUE for any other number. The two
// of the SPDM transport are refused: the TPM has no such transport.
func (c *Cap) Read(r *Reader) {
	if *c = Cap(r.U32()); *c > CapACT && *c != CapVendorProperty {
		r.Fail(RCValue)
	}
}

// Write appends the group.
func (c Cap) Write(w *Writer) { w.U32(uint32(c)) }

// NT is a TPM_NT, the type of an NV Index (Part 2, "TPM_NT").
type NT uint8

// Types of NV Indices.
const (
	NTOrdinary NT = 0x0
	NTCounter  NT = 0x1
	NTBits     NT = 0x2
	NTExtend   NT = 0x4
	NTPinFail  NT = 0x8
	NTPinPass  NT = 0x9
)

// PS is a TPM_PS, a platform specification (Part 2, "TPM_PS").
type PS uint32

// PSPC is the PC Client platform, the one that this TPM is made for.
const PSPC PS = 0x00000001

// AT is a TPM_AT, a property of an attached component (Part 2, "TPM_AT").
type AT uint32

// Read reads any attached component tag.
func (a *AT) Read(r *Reader) { *a = AT(r.U32()) }

// Write appends the tag.
func (a AT) Write(w *Writer) { w.U32(uint32(a)) }
