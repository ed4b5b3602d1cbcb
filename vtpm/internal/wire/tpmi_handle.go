package wire

// Interface types of handles (Part 2, "Interface Types"). Reading one checks that
// the number lies in a range that the type allows, TPM_RC_VALUE otherwise;
// whether something is there the pipeline finds out. The method Handle is how
// the pipeline knows a handle from a parameter.

// HandleValue is implemented by every interface type of handles.
type HandleValue interface {
	Handle() Handle
}

// Values of TPMI_DH_SAVED for what is not a session.
const (
	SavedObject   Handle = 0x80000000 // an ordinary transient object
	SavedSequence Handle = 0x80000001 // a sequence object
	SavedSTClear  Handle = 0x80000002 // a transient object with the attribute stClear
)

// handle reads a handle for which ok holds; TPM_RC_VALUE otherwise.
func (r *Reader) handle(ok func(Handle, *Limits) bool) Handle {
	h := Handle(r.U32())
	if r.OK() && !ok(h, r.Limits) {
		r.Fail(RCValue)
	}
	return h
}

func isHierarchy(h Handle, l *Limits) bool {
	return h == HandleOwner || h == HandleEndorsement || h == HandlePlatform ||
		h == HandleNull || l.isLimitedHierarchy(h)
}

// TPMIDHObject is TPMI_DH_OBJECT: a loaded object.
type TPMIDHObject Handle

func isDHObject(h Handle, l *Limits) bool {
	return l.isTransient(h) || h.in(PersistentFirst, PersistentLast)
}

// Handle returns the handle.
func (v TPMIDHObject) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHObject) Read(r *Reader) { *v = TPMIDHObject(r.handle(isDHObject)) }

// ReadPlus reads the handle or TPM_RH_NULL.
func (v *TPMIDHObject) ReadPlus(r *Reader) {
	*v = TPMIDHObject(r.handle(func(h Handle, l *Limits) bool { return h == HandleNull || isDHObject(h, l) }))
}

// Write appends the handle.
func (v TPMIDHObject) Write(w *Writer) { Handle(v).Write(w) }

// TPMIDHParent is TPMI_DH_PARENT: a loaded object or a hierarchy, TPM_RH_NULL
// included.
type TPMIDHParent Handle

func isDHParent(h Handle, l *Limits) bool {
	return l.isTransient(h) || h.in(PersistentFirst, PersistentLast) || isHierarchy(h, l)
}

// Handle returns the handle.
func (v TPMIDHParent) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHParent) Read(r *Reader) { *v = TPMIDHParent(r.handle(isDHParent)) }

// ReadPlus is Read: the type has TPM_RH_NULL anyway.
func (v *TPMIDHParent) ReadPlus(r *Reader) { v.Read(r) }

// Write appends the handle.
func (v TPMIDHParent) Write(w *Writer) { Handle(v).Write(w) }

// TPMIDHPersistent is TPMI_DH_PERSISTENT: a persistent object.
type TPMIDHPersistent Handle

func isDHPersistent(h Handle, _ *Limits) bool {
	return h.in(PersistentFirst, PersistentLast)
}

// Handle returns the handle.
func (v TPMIDHPersistent) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHPersistent) Read(r *Reader) { *v = TPMIDHPersistent(r.handle(isDHPersistent)) }

// Write appends the handle.
func (v TPMIDHPersistent) Write(w *Writer) { Handle(v).Write(w) }

// TPMIDHEntity is TPMI_DH_ENTITY: an entity with an authorization: a
// hierarchy, lockout, an object, an NV Index, a PCR, or a vendor's
// authorization.
type TPMIDHEntity Handle

func isDHEntity(h Handle, l *Limits) bool {
	return h == HandleOwner || h == HandleEndorsement || h == HandlePlatform || h == HandleLockout ||
		l.isTransient(h) || h.in(PersistentFirst, PersistentLast) ||
		h.in(NVIndexFirst, NVIndexLast) || l.isPCR(h) || h.in(HandleAuth00, HandleAuthFF)
}

// Handle returns the handle.
func (v TPMIDHEntity) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHEntity) Read(r *Reader) { *v = TPMIDHEntity(r.handle(isDHEntity)) }

// ReadPlus reads the handle or TPM_RH_NULL.
func (v *TPMIDHEntity) ReadPlus(r *Reader) {
	*v = TPMIDHEntity(r.handle(func(h Handle, l *Limits) bool { return h == HandleNull || isDHEntity(h, l) }))
}

// Write appends the handle.
func (v TPMIDHEntity) Write(w *Writer) { Handle(v).Write(w) }

// TPMIDHPCR is TPMI_DH_PCR: a PCR.
type TPMIDHPCR Handle

func isDHPCR(h Handle, l *Limits) bool {
	return l.isPCR(h)
}

// Handle returns the handle.
func (v TPMIDHPCR) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHPCR) Read(r *Reader) { *v = TPMIDHPCR(r.handle(isDHPCR)) }

// ReadPlus reads the handle or TPM_RH_NULL.
func (v *TPMIDHPCR) ReadPlus(r *Reader) {
	*v = TPMIDHPCR(r.handle(func(h Handle, l *Limits) bool { return h == HandleNull || isDHPCR(h, l) }))
}

// Write appends the handle.
func (v TPMIDHPCR) Write(w *Writer) { Handle(v).Write(w) }

// TPMISHAuthSession is TPMI_SH_AUTH_SESSION: an HMAC or policy session.
type TPMISHAuthSession Handle

func isSHAuthSession(h Handle, l *Limits) bool {
	return l.isHMACSession(h) || l.isPolicySession(h)
}

// Handle returns the handle.
func (v TPMISHAuthSession) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMISHAuthSession) Read(r *Reader) { *v = TPMISHAuthSession(r.handle(isSHAuthSession)) }

// ReadPlus reads the handle or TPM_RS_PW.
func (v *TPMISHAuthSession) ReadPlus(r *Reader) {
	*v = TPMISHAuthSession(r.handle(func(h Handle, l *Limits) bool { return h == HandlePassword || isSHAuthSession(h, l) }))
}

// Write appends the handle.
func (v TPMISHAuthSession) Write(w *Writer) { Handle(v).Write(w) }

// TPMISHHMAC is TPMI_SH_HMAC: an HMAC session.
type TPMISHHMAC Handle

func isSHHMAC(h Handle, l *Limits) bool {
	return l.isHMACSession(h)
}

// Handle returns the handle.
func (v TPMISHHMAC) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMISHHMAC) Read(r *Reader) { *v = TPMISHHMAC(r.handle(isSHHMAC)) }

// Write appends the handle.
func (v TPMISHHMAC) Write(w *Writer) { Handle(v).Write(w) }

// TPMISHPolicy is TPMI_SH_POLICY: a policy session.
type TPMISHPolicy Handle

func isSHPolicy(h Handle, l *Limits) bool {
	return l.isPolicySession(h)
}

// Handle returns the handle.
func (v TPMISHPolicy) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMISHPolicy) Read(r *Reader) { *v = TPMISHPolicy(r.handle(isSHPolicy)) }

// Write appends the handle.
func (v TPMISHPolicy) Write(w *Writer) { Handle(v).Write(w) }

// TPMIDHContext is TPMI_DH_CONTEXT: something that TPM2_ContextSave saves: a
// session or a transient object.
type TPMIDHContext Handle

func isDHContext(h Handle, l *Limits) bool {
	return l.isHMACSession(h) || l.isPolicySession(h) || l.isTransient(h)
}

// Handle returns the handle.
func (v TPMIDHContext) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHContext) Read(r *Reader) { *v = TPMIDHContext(r.handle(isDHContext)) }

// Write appends the handle.
func (v TPMIDHContext) Write(w *Writer) { Handle(v).Write(w) }

// TPMIDHSaved is TPMI_DH_SAVED: a saved context: the session's handle, or
// 0x80000000 for an object, 0x80000001 for a sequence, 0x80000002 for an
// object with stClear.
type TPMIDHSaved Handle

func isDHSaved(h Handle, l *Limits) bool {
	return l.isHMACSession(h) || l.isPolicySession(h) || h.in(SavedObject, SavedSTClear)
}

// Handle returns the handle.
func (v TPMIDHSaved) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIDHSaved) Read(r *Reader) { *v = TPMIDHSaved(r.handle(isDHSaved)) }

// Write appends the handle.
func (v TPMIDHSaved) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHHierarchy is TPMI_RH_HIERARCHY: a hierarchy, TPM_RH_NULL included.
type TPMIRHHierarchy Handle

// Handle returns the handle.
func (v TPMIRHHierarchy) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHHierarchy) Read(r *Reader) { *v = TPMIRHHierarchy(r.handle(isHierarchy)) }

// ReadPlus is Read: the type has TPM_RH_NULL anyway.
func (v *TPMIRHHierarchy) ReadPlus(r *Reader) { v.Read(r) }

// Write appends the handle.
func (v TPMIRHHierarchy) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHEnables is TPMI_RH_ENABLES: a hierarchy that TPM2_HierarchyControl
// turns on or off.
type TPMIRHEnables Handle

func isRHEnables(h Handle, _ *Limits) bool {
	return h == HandleOwner || h == HandleEndorsement || h == HandlePlatform || h == HandlePlatformNV
}

// Handle returns the handle.
func (v TPMIRHEnables) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHEnables) Read(r *Reader) { *v = TPMIRHEnables(r.handle(isRHEnables)) }

// ReadPlus reads the handle or TPM_RH_NULL.
func (v *TPMIRHEnables) ReadPlus(r *Reader) {
	*v = TPMIRHEnables(r.handle(func(h Handle, l *Limits) bool { return h == HandleNull || isRHEnables(h, l) }))
}

// Write appends the handle.
func (v TPMIRHEnables) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHHierarchyAuth is TPMI_RH_HIERARCHY_AUTH: a hierarchy with an
// authorization value.
type TPMIRHHierarchyAuth Handle

func isRHHierarchyAuth(h Handle, _ *Limits) bool {
	return h == HandleOwner || h == HandleLockout || h == HandleEndorsement || h == HandlePlatform
}

// Handle returns the handle.
func (v TPMIRHHierarchyAuth) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHHierarchyAuth) Read(r *Reader) { *v = TPMIRHHierarchyAuth(r.handle(isRHHierarchyAuth)) }

// Write appends the handle.
func (v TPMIRHHierarchyAuth) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHHierarchyPolicy is TPMI_RH_HIERARCHY_POLICY: a hierarchy or timer with
// an authorization policy.
type TPMIRHHierarchyPolicy Handle

func isRHHierarchyPolicy(h Handle, _ *Limits) bool {
	return h == HandleOwner || h == HandleLockout || h == HandleEndorsement || h == HandlePlatform ||
		h.in(HandleACT0, HandleACTF)
}

// Handle returns the handle.
func (v TPMIRHHierarchyPolicy) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHHierarchyPolicy) Read(r *Reader) {
	*v = TPMIRHHierarchyPolicy(r.handle(isRHHierarchyPolicy))
}

// Write appends the handle.
func (v TPMIRHHierarchyPolicy) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHBaseHierarchy is TPMI_RH_BASE_HIERARCHY: a proper hierarchy.
type TPMIRHBaseHierarchy Handle

func isRHBaseHierarchy(h Handle, _ *Limits) bool {
	return h == HandleOwner || h == HandleEndorsement || h == HandlePlatform
}

// Handle returns the handle.
func (v TPMIRHBaseHierarchy) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHBaseHierarchy) Read(r *Reader) { *v = TPMIRHBaseHierarchy(r.handle(isRHBaseHierarchy)) }

// Write appends the handle.
func (v TPMIRHBaseHierarchy) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHPlatform is TPMI_RH_PLATFORM: the platform.
type TPMIRHPlatform Handle

func isRHPlatform(h Handle, _ *Limits) bool {
	return h == HandlePlatform
}

// Handle returns the handle.
func (v TPMIRHPlatform) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHPlatform) Read(r *Reader) { *v = TPMIRHPlatform(r.handle(isRHPlatform)) }

// Write appends the handle.
func (v TPMIRHPlatform) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHOwner is TPMI_RH_OWNER: the owner.
type TPMIRHOwner Handle

func isRHOwner(h Handle, _ *Limits) bool {
	return h == HandleOwner
}

// Handle returns the handle.
func (v TPMIRHOwner) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHOwner) Read(r *Reader) { *v = TPMIRHOwner(r.handle(isRHOwner)) }

// ReadPlus reads the handle or TPM_RH_NULL.
func (v *TPMIRHOwner) ReadPlus(r *Reader) {
	*v = TPMIRHOwner(r.handle(func(h Handle, l *Limits) bool { return h == HandleNull || isRHOwner(h, l) }))
}

// Write appends the handle.
func (v TPMIRHOwner) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHEndorsement is TPMI_RH_ENDORSEMENT: the privacy administrator.
type TPMIRHEndorsement Handle

func isRHEndorsement(h Handle, _ *Limits) bool {
	return h == HandleEndorsement
}

// Handle returns the handle.
func (v TPMIRHEndorsement) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHEndorsement) Read(r *Reader) { *v = TPMIRHEndorsement(r.handle(isRHEndorsement)) }

// ReadPlus reads the handle or TPM_RH_NULL.
func (v *TPMIRHEndorsement) ReadPlus(r *Reader) {
	*v = TPMIRHEndorsement(r.handle(func(h Handle, l *Limits) bool { return h == HandleNull || isRHEndorsement(h, l) }))
}

// Write appends the handle.
func (v TPMIRHEndorsement) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHProvision is TPMI_RH_PROVISION: who may define NV Indices and make
// objects persistent.
type TPMIRHProvision Handle

func isRHProvision(h Handle, _ *Limits) bool {
	return h == HandleOwner || h == HandlePlatform
}

// Handle returns the handle.
func (v TPMIRHProvision) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHProvision) Read(r *Reader) { *v = TPMIRHProvision(r.handle(isRHProvision)) }

// Write appends the handle.
func (v TPMIRHProvision) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHClear is TPMI_RH_CLEAR: who may clear the TPM.
type TPMIRHClear Handle

func isRHClear(h Handle, _ *Limits) bool {
	return h == HandleLockout || h == HandlePlatform
}

// Handle returns the handle.
func (v TPMIRHClear) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHClear) Read(r *Reader) { *v = TPMIRHClear(r.handle(isRHClear)) }

// Write appends the handle.
func (v TPMIRHClear) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHNVAuth is TPMI_RH_NV_AUTH: who authorizes an access to an NV Index.
type TPMIRHNVAuth Handle

func isRHNVAuth(h Handle, _ *Limits) bool {
	return h == HandleOwner || h == HandlePlatform || h.in(NVIndexFirst, NVIndexLast)
}

// Handle returns the handle.
func (v TPMIRHNVAuth) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHNVAuth) Read(r *Reader) { *v = TPMIRHNVAuth(r.handle(isRHNVAuth)) }

// Write appends the handle.
func (v TPMIRHNVAuth) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHLockout is TPMI_RH_LOCKOUT: the lockout authority.
type TPMIRHLockout Handle

func isRHLockout(h Handle, _ *Limits) bool {
	return h == HandleLockout
}

// Handle returns the handle.
func (v TPMIRHLockout) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHLockout) Read(r *Reader) { *v = TPMIRHLockout(r.handle(isRHLockout)) }

// Write appends the handle.
func (v TPMIRHLockout) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHNVIndex is TPMI_RH_NV_INDEX: an NV Index of any kind.
type TPMIRHNVIndex Handle

func isRHNVIndex(h Handle, _ *Limits) bool {
	return h.in(NVIndexFirst, NVIndexLast) || h.in(ExternalNVFirst, ExternalNVLast) ||
		h.in(PermanentNVFirst, PermanentNVLast)
}

// Handle returns the handle.
func (v TPMIRHNVIndex) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHNVIndex) Read(r *Reader) { *v = TPMIRHNVIndex(r.handle(isRHNVIndex)) }

// Write appends the handle.
func (v TPMIRHNVIndex) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHNVDefinedIndex is TPMI_RH_NV_DEFINED_INDEX: an NV Index that can be
// defined.
type TPMIRHNVDefinedIndex Handle

func isRHNVDefinedIndex(h Handle, _ *Limits) bool {
	return h.in(NVIndexFirst, NVIndexLast) || h.in(ExternalNVFirst, ExternalNVLast)
}

// Handle returns the handle.
func (v TPMIRHNVDefinedIndex) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHNVDefinedIndex) Read(r *Reader) {
	*v = TPMIRHNVDefinedIndex(r.handle(isRHNVDefinedIndex))
}

// Write appends the handle.
func (v TPMIRHNVDefinedIndex) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHNVLegacyIndex is TPMI_RH_NV_LEGACY_INDEX: an NV Index with 32 bits of
// attributes.
type TPMIRHNVLegacyIndex Handle

func isRHNVLegacyIndex(h Handle, _ *Limits) bool {
	return h.in(NVIndexFirst, NVIndexLast)
}

// Handle returns the handle.
func (v TPMIRHNVLegacyIndex) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHNVLegacyIndex) Read(r *Reader) { *v = TPMIRHNVLegacyIndex(r.handle(isRHNVLegacyIndex)) }

// Write appends the handle.
func (v TPMIRHNVLegacyIndex) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHNVExpIndex is TPMI_RH_NV_EXP_INDEX: an external NV Index.
type TPMIRHNVExpIndex Handle

func isRHNVExpIndex(h Handle, _ *Limits) bool {
	return h.in(ExternalNVFirst, ExternalNVLast)
}

// Handle returns the handle.
func (v TPMIRHNVExpIndex) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHNVExpIndex) Read(r *Reader) { *v = TPMIRHNVExpIndex(r.handle(isRHNVExpIndex)) }

// Write appends the handle.
func (v TPMIRHNVExpIndex) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHAC is TPMI_RH_AC: an attached component.
type TPMIRHAC Handle

func isRHAC(h Handle, _ *Limits) bool {
	return h.in(ACFirst, ACLast)
}

// Handle returns the handle.
func (v TPMIRHAC) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHAC) Read(r *Reader) { *v = TPMIRHAC(r.handle(isRHAC)) }

// Write appends the handle.
func (v TPMIRHAC) Write(w *Writer) { Handle(v).Write(w) }

// TPMIRHACT is TPMI_RH_ACT: an authenticated countdown timer.
type TPMIRHACT Handle

func isRHACT(h Handle, _ *Limits) bool {
	return h.in(HandleACT0, HandleACTF)
}

// Handle returns the handle.
func (v TPMIRHACT) Handle() Handle { return Handle(v) }

// Read reads the handle.
func (v *TPMIRHACT) Read(r *Reader) { *v = TPMIRHACT(r.handle(isRHACT)) }

// Write appends the handle.
func (v TPMIRHACT) Write(w *Writer) { Handle(v).Write(w) }
