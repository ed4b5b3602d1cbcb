package wire

// Attribute structures (Part 2, "Attribute Structures"): each is its integer on
// the wire, with a constant for each bit. Reading one fails with
// TPM_RC_RESERVED_BITS where a reserved bit is set.

// hasBits reports whether a has all the bits of b.
func hasBits[T ~uint8 | ~uint32 | ~uint64](a, b T) bool { return a&b == b }

// TPMAAlgorithm is TPMA_ALGORITHM, what an algorithm is for.
type TPMAAlgorithm uint32

// Bits of TPMAAlgorithm.
const (
	AlgAttrAsymmetric TPMAAlgorithm = 1 << 0
	AlgAttrSymmetric  TPMAAlgorithm = 1 << 1
	AlgAttrHash       TPMAAlgorithm = 1 << 2
	AlgAttrObject     TPMAAlgorithm = 1 << 3
	AlgAttrSigning    TPMAAlgorithm = 1 << 8
	AlgAttrEncrypting TPMAAlgorithm = 1 << 9
	AlgAttrMethod     TPMAAlgorithm = 1 << 10

	algAttrReserved TPMAAlgorithm = 0xFFFFF8F0
)

// Has reports whether all of bits are set.
func (a TPMAAlgorithm) Has(bits TPMAAlgorithm) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMAAlgorithm) Any(bits TPMAAlgorithm) bool { return a&bits != 0 }

// Read reads the attributes.
func (a *TPMAAlgorithm) Read(r *Reader) { *a = TPMAAlgorithm(r.attr32(uint32(algAttrReserved))) }

// Write appends the attributes.
func (a TPMAAlgorithm) Write(w *Writer) { w.U32(uint32(a)) }

// TPMAObject is TPMA_OBJECT, the attributes of an object.
type TPMAObject uint32

// Bits of TPMAObject.
const (
	ObjFixedTPM             TPMAObject = 1 << 1
	ObjSTClear              TPMAObject = 1 << 2
	ObjFixedParent          TPMAObject = 1 << 4
	ObjSensitiveDataOrigin  TPMAObject = 1 << 5
	ObjUserWithAuth         TPMAObject = 1 << 6
	ObjAdminWithPolicy      TPMAObject = 1 << 7
	ObjFirmwareLimited      TPMAObject = 1 << 8
	ObjSVNLimited           TPMAObject = 1 << 9
	ObjNoDA                 TPMAObject = 1 << 10
	ObjEncryptedDuplication TPMAObject = 1 << 11
	ObjRestricted           TPMAObject = 1 << 16
	ObjDecrypt              TPMAObject = 1 << 17
	ObjSign                 TPMAObject = 1 << 18
	ObjX509Sign             TPMAObject = 1 << 19

	objReserved TPMAObject = 0xFFF0F009
)

// Has reports whether all of bits are set.
func (a TPMAObject) Has(bits TPMAObject) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMAObject) Any(bits TPMAObject) bool { return a&bits != 0 }

// Read reads the attributes. The two that limit an object to a firmware are
// reserved on a TPM without such hierarchies.
func (a *TPMAObject) Read(r *Reader) {
	reserved := objReserved
	if !r.Limits.LimitedHierarchies {
		reserved |= ObjFirmwareLimited | ObjSVNLimited
	}
	*a = TPMAObject(r.attr32(uint32(reserved)))
}

// Write appends the attributes.
func (a TPMAObject) Write(w *Writer) { w.U32(uint32(a)) }

// TPMASession is TPMA_SESSION, what a session does in one command.
type TPMASession uint8

// Bits of TPMASession.
const (
	SessContinue       TPMASession = 1 << 0
	SessAuditExclusive TPMASession = 1 << 1
	SessAuditReset     TPMASession = 1 << 2
	SessDecrypt        TPMASession = 1 << 5
	SessEncrypt        TPMASession = 1 << 6
	SessAudit          TPMASession = 1 << 7

	sessReserved TPMASession = 0x18
)

// Has reports whether all of bits are set.
func (a TPMASession) Has(bits TPMASession) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMASession) Any(bits TPMASession) bool { return a&bits != 0 }

// Read reads the attributes.
func (a *TPMASession) Read(r *Reader) {
	if *a = TPMASession(r.U8()); *a&sessReserved != 0 {
		r.Fail(RCReservedBits)
	}
}

// Write appends the attributes.
func (a TPMASession) Write(w *Writer) { w.U8(uint8(a)) }

// TPMALocality is TPMA_LOCALITY: a set of localities 0 to 4 when its value is
// under 32, one locality, the value itself, otherwise.
type TPMALocality uint8

// Bits of TPMALocality.
const (
	LocZero  TPMALocality = 1 << 0
	LocOne   TPMALocality = 1 << 1
	LocTwo   TPMALocality = 1 << 2
	LocThree TPMALocality = 1 << 3
	LocFour  TPMALocality = 1 << 4

	locExtended TPMALocality = 0xE0
)

// LocalityOf returns the attributes that stand for the one locality, 0 to 4 or
// 32 to 255. Localities 5 to 31 do not exist: the result is zero.
func LocalityOf(locality uint8) TPMALocality {
	switch {
	case locality <= 4:
		return 1 << locality
	case locality >= 32:
		return TPMALocality(locality)
	}
	return 0
}

// Has reports whether all of bits are set.
func (a TPMALocality) Has(bits TPMALocality) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMALocality) Any(bits TPMALocality) bool { return a&bits != 0 }

// Extended reports whether the value is one extended locality, not a set.
func (a TPMALocality) Extended() bool { return a&locExtended != 0 }

// Read reads any value: all are defined.
func (a *TPMALocality) Read(r *Reader) { *a = TPMALocality(r.U8()) }

// Write appends the attributes.
func (a TPMALocality) Write(w *Writer) { w.U8(uint8(a)) }

// TPMAPermanent is TPMA_PERMANENT, the value of TPM_PT_PERMANENT.
type TPMAPermanent uint32

// Bits of TPMAPermanent.
const (
	PermOwnerAuthSet       TPMAPermanent = 1 << 0
	PermEndorsementAuthSet TPMAPermanent = 1 << 1
	PermLockoutAuthSet     TPMAPermanent = 1 << 2
	PermDisableClear       TPMAPermanent = 1 << 8
	PermInLockout          TPMAPermanent = 1 << 9
	PermTPMGeneratedEPS    TPMAPermanent = 1 << 10
)

// Has reports whether all of bits are set.
func (a TPMAPermanent) Has(bits TPMAPermanent) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMAPermanent) Any(bits TPMAPermanent) bool { return a&bits != 0 }

// TPMAStartupClear is TPMA_STARTUP_CLEAR, the value of TPM_PT_STARTUP_CLEAR.
type TPMAStartupClear uint32

// Bits of TPMAStartupClear.
const (
	StartupPHEnable   TPMAStartupClear = 1 << 0
	StartupSHEnable   TPMAStartupClear = 1 << 1
	StartupEHEnable   TPMAStartupClear = 1 << 2
	StartupPHEnableNV TPMAStartupClear = 1 << 3
	StartupReadOnly   TPMAStartupClear = 1 << 4
	StartupOrderly    TPMAStartupClear = 1 << 31
)

// Has reports whether all of bits are set.
func (a TPMAStartupClear) Has(bits TPMAStartupClear) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMAStartupClear) Any(bits TPMAStartupClear) bool { return a&bits != 0 }

// TPMAMemory is TPMA_MEMORY, the value of TPM_PT_MEMORY.
type TPMAMemory uint32

// Bits of TPMAMemory.
const (
	MemSharedRAM         TPMAMemory = 1 << 0
	MemSharedNV          TPMAMemory = 1 << 1
	MemObjectCopiedToRAM TPMAMemory = 1 << 2
)

// TPMACC is TPMA_CC, a command's code and attributes.
type TPMACC uint32

// Bits of TPMACC. The command index is in bits 0 to 15, the number of handles in
// the command's handle area in bits 25 to 27.
const (
	CCANV           TPMACC = 1 << 22
	CCAExtensive    TPMACC = 1 << 23
	CCAFlushed      TPMACC = 1 << 24
	CCARHandle      TPMACC = 1 << 28
	CCAVendor       TPMACC = 1 << 29
	CCAHandlesShift        = 25

	ccAttrReserved TPMACC = 0xC03F0000
)

// Has reports whether all of bits are set.
func (a TPMACC) Has(bits TPMACC) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMACC) Any(bits TPMACC) bool { return a&bits != 0 }

// Read reads the attributes.
func (a *TPMACC) Read(r *Reader) { *a = TPMACC(r.attr32(uint32(ccAttrReserved))) }

// Write appends the attributes.
func (a TPMACC) Write(w *Writer) { w.U32(uint32(a)) }

// TPMAModes is TPMA_MODES, the value of TPM_PT_MODES.
type TPMAModes uint32

// Bits of TPMAModes.
const (
	ModeFIPS1402 TPMAModes = 1 << 0
	ModeFIPS1403 TPMAModes = 1 << 1
)

// TPMAACT is TPMA_ACT, the state of an authenticated countdown timer.
type TPMAACT uint32

// Bits of TPMAACT.
const (
	ACTSignaled         TPMAACT = 1 << 0
	ACTPreserveSignaled TPMAACT = 1 << 1

	actReserved TPMAACT = 0xFFFFFFFC
)

// Has reports whether all of bits are set.
func (a TPMAACT) Has(bits TPMAACT) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMAACT) Any(bits TPMAACT) bool { return a&bits != 0 }

// Read reads the attributes.
func (a *TPMAACT) Read(r *Reader) { *a = TPMAACT(r.attr32(uint32(actReserved))) }

// Write appends the attributes.
func (a TPMAACT) Write(w *Writer) { w.U32(uint32(a)) }

// TPMANV is TPMA_NV, the attributes and the type of an NV Index.
type TPMANV uint32

// Bits of TPMANV. The Index's type is in bits 4 to 7: Type and WithType.
const (
	NVPPWrite        TPMANV = 1 << 0
	NVOwnerWrite     TPMANV = 1 << 1
	NVAuthWrite      TPMANV = 1 << 2
	NVPolicyWrite    TPMANV = 1 << 3
	NVPolicyDelete   TPMANV = 1 << 10
	NVWriteLocked    TPMANV = 1 << 11
	NVWriteAll       TPMANV = 1 << 12
	NVWriteDefine    TPMANV = 1 << 13
	NVWriteSTClear   TPMANV = 1 << 14
	NVGlobalLock     TPMANV = 1 << 15
	NVPPRead         TPMANV = 1 << 16
	NVOwnerRead      TPMANV = 1 << 17
	NVAuthRead       TPMANV = 1 << 18
	NVPolicyRead     TPMANV = 1 << 19
	NVNoDA           TPMANV = 1 << 25
	NVOrderly        TPMANV = 1 << 26
	NVClearSTClear   TPMANV = 1 << 27
	NVReadLocked     TPMANV = 1 << 28
	NVWritten        TPMANV = 1 << 29
	NVPlatformCreate TPMANV = 1 << 30
	NVReadSTClear    TPMANV = 1 << 31

	nvTypeShift        = 4
	nvTypeMask  TPMANV = 0xF << nvTypeShift
	nvReserved  TPMANV = 0x01F00300
)

// Has reports whether all of bits are set.
func (a TPMANV) Has(bits TPMANV) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMANV) Any(bits TPMANV) bool { return a&bits != 0 }

// Type returns the Index's type. Reading accepts types that do not exist: to
// refuse them is the define command's part (Part 3, "TPM2_NV_DefineSpace").
func (a TPMANV) Type() NT { return NT(a & nvTypeMask >> nvTypeShift) }

// WithType returns the attributes with the type t.
func (a TPMANV) WithType(t NT) TPMANV { return a&^nvTypeMask | TPMANV(t)<<nvTypeShift&nvTypeMask }

// Read reads the attributes.
func (a *TPMANV) Read(r *Reader) { *a = TPMANV(r.attr32(uint32(nvReserved))) }

// Write appends the attributes.
func (a TPMANV) Write(w *Writer) { w.U32(uint32(a)) }

// TPMANVExp is TPMA_NV_EXP: TPMA_NV in its low half, the attributes of an
// external NV Index above.
type TPMANVExp uint64

// Bits of TPMANVExp that TPMANV does not have.
const (
	NVExpEncryption   TPMANVExp = 1 << 32
	NVExpIntegrity    TPMANVExp = 1 << 33
	NVExpAntiRollback TPMANVExp = 1 << 34

	nvExpReserved TPMANVExp = 0xFFFFFFF801F00300
)

// Has reports whether all of bits are set.
func (a TPMANVExp) Has(bits TPMANVExp) bool { return hasBits(a, bits) }

// Any reports whether at least one of bits is set.
func (a TPMANVExp) Any(bits TPMANVExp) bool { return a&bits != 0 }

// NV returns the half that every NV Index has.
func (a TPMANVExp) NV() TPMANV { return TPMANV(a) }

// Read reads the attributes.
func (a *TPMANVExp) Read(r *Reader) {
	if *a = TPMANVExp(r.U64()); *a&nvExpReserved != 0 {
		r.Fail(RCReservedBits)
	}
}

// Write appends the attributes.
func (a TPMANVExp) Write(w *Writer) { w.U64(uint64(a)) }

// attr32 reads a UINT32 of attributes, TPM_RC_RESERVED_BITS if one of reserved
// is set.
func (r *Reader) attr32(reserved uint32) uint32 {
	v := r.U32()
	if v&reserved != 0 {
		r.Fail(RCReservedBits)
	}
	return v
}
