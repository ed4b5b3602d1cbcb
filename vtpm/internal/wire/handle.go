package wire

import "fmt"

// Handle is a TPM_HANDLE: what kind of thing it names in its most significant
// byte, which one in the other three (Part 2, "Handles").
type Handle uint32

// HT is a TPM_HT, a handle's type: its most significant byte.
type HT uint8

// Handle types. A session's type says what it is while it is loaded; in
// TPM2_GetCapability the same two values ask for loaded and for saved sessions.
const (
	HTPCR           HT = 0x00
	HTNVIndex       HT = 0x01
	HTHMACSession   HT = 0x02
	HTLoadedSession HT = 0x02
	HTPolicySession HT = 0x03
	HTSavedSession  HT = 0x03
	HTExternalNV    HT = 0x11
	HTPermanentNV   HT = 0x12
	HTPermanent     HT = 0x40
	HTTransient     HT = 0x80
	HTPersistent    HT = 0x81
	HTAC            HT = 0x90
)

// Permanent handles (Part 2, "TPM_RH"). HandlePassword is TPM_RS_PW.
const (
	HandleSRK         Handle = 0x40000000
	HandleOwner       Handle = 0x40000001
	HandleRevoke      Handle = 0x40000002
	HandleTransport   Handle = 0x40000003
	HandleOperator    Handle = 0x40000004
	HandleAdmin       Handle = 0x40000005
	HandleEK          Handle = 0x40000006
	HandleNull        Handle = 0x40000007
	HandleUnassigned  Handle = 0x40000008
	HandlePassword    Handle = 0x40000009
	HandleLockout     Handle = 0x4000000A
	HandleEndorsement Handle = 0x4000000B
	HandlePlatform    Handle = 0x4000000C
	HandlePlatformNV  Handle = 0x4000000D
	HandleAuth00      Handle = 0x40000010
	HandleAuthFF      Handle = 0x4000010F
	HandleACT0        Handle = 0x40000110
	HandleACTF        Handle = 0x4000011F

	// Hierarchies bound to the firmware, and bases of 65,536 each that are bound
	// to a firmware security version number, the low 16 bits.
	HandleFWOwner            Handle = 0x40000140
	HandleFWEndorsement      Handle = 0x40000141
	HandleFWPlatform         Handle = 0x40000142
	HandleFWNull             Handle = 0x40000143
	HandleSVNOwnerBase       Handle = 0x40010000
	HandleSVNEndorsementBase Handle = 0x40020000
	HandleSVNPlatformBase    Handle = 0x40030000
	HandleSVNNullBase        Handle = 0x40040000
)

// First and last handles of each range (Part 2, "TPM_HC"). A TPM may have fewer
// PCRs, sessions and transient objects: Limits says how many.
const (
	PCRFirst           Handle = 0x00000000
	NVIndexFirst       Handle = 0x01000000
	NVIndexLast        Handle = 0x01FFFFFF
	HMACSessionFirst   Handle = 0x02000000
	HMACSessionLast    Handle = 0x02FFFFFF
	PolicySessionFirst Handle = 0x03000000
	PolicySessionLast  Handle = 0x03FFFFFF
	ExternalNVFirst    Handle = 0x11000000
	ExternalNVLast     Handle = 0x11FFFFFF
	PermanentNVFirst   Handle = 0x12000000
	PermanentNVLast    Handle = 0x12FFFFFF
	PermanentFirst            = HandleSRK
	PermanentLast      Handle = 0x4004FFFF
	TransientFirst     Handle = 0x80000000
	TransientLast      Handle = 0x80FFFFFE
	PersistentFirst    Handle = 0x81000000
	PersistentLast     Handle = 0x81FFFFFF
	PlatformPersistent Handle = 0x81800000 // the platform's persistent objects start here
	ACFirst            Handle = 0x90000000
	ACLast             Handle = 0x9000FFFF
)

// Type returns the handle's type.
func (h Handle) Type() HT { return HT(h >> 24) }

// Index returns the handle without its type: a PCR's number, for instance.
func (h Handle) Index() uint32 { return uint32(h) & 0x00FFFFFF }

// IsSession reports whether h names an HMAC, policy or trial session. The
// password authorization, HandlePassword, is not one.
func (h Handle) IsSession() bool {
	return h.Type() == HTHMACSession || h.Type() == HTPolicySession
}

// Handle returns h: a TPM_HANDLE is a HandleValue too.
func (h Handle) Handle() Handle { return h }

// String returns the handle in hexadecimal.
func (h Handle) String() string { return fmt.Sprintf("0x%08x", uint32(h)) }

// Read reads any handle.
func (h *Handle) Read(r *Reader) { *h = Handle(r.U32()) }

// Write appends the handle.
func (h Handle) Write(w *Writer) { w.U32(uint32(h)) }

// in reports whether h lies between first and last, both included.
func (h Handle) in(first, last Handle) bool { return first <= h && h <= last }

// Read reads any handle type.
func (t *HT) Read(r *Reader) { *t = HT(r.U8()) }

// Write appends the handle type.
func (t HT) Write(w *Writer) { w.U8(uint8(t)) }
