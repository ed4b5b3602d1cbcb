package wire

// Time and attestation structures (Part 2, "Attestation Structures").

// TPMSClockInfo is TPMS_CLOCK_INFO.
type TPMSClockInfo struct {
	Clock        uint64 // milliseconds that the TPM has been powered, as far as recorded
	ResetCount   uint32 // TPM Resets since the last TPM2_Clear
	RestartCount uint32 // TPM Restarts and Resumes since the last TPM Reset
	Safe         bool   // no clock value was reported that may come again
}

// Read reads the structure.
func (c *TPMSClockInfo) Read(r *Reader) {
	c.Clock = r.U64()
	c.ResetCount = r.U32()
	c.RestartCount = r.U32()
	c.Safe = r.yesNo()
}

// Write appends the structure.
func (c TPMSClockInfo) Write(w *Writer) {
	w.U64(c.Clock)
	w.U32(c.ResetCount)
	w.U32(c.RestartCount)
	w.yesNo(c.Safe)
}

// TPMSTimeInfo is TPMS_TIME_INFO.
type TPMSTimeInfo struct {
	Time      uint64 // milliseconds since the last _TPM_Init
	ClockInfo TPMSClockInfo
}

// Read reads the structure.
func (t *TPMSTimeInfo) Read(r *Reader) {
	t.Time = r.U64()
	t.ClockInfo.Read(r)
}

// Write appends the structure.
func (t TPMSTimeInfo) Write(w *Writer) {
	w.U64(t.Time)
	t.ClockInfo.Write(w)
}

// TPMSTimeAttestInfo is TPMS_TIME_ATTEST_INFO.
type TPMSTimeAttestInfo struct {
	Time            TPMSTimeInfo
	FirmwareVersion uint64
}

// TPMSCertifyInfo is TPMS_CERTIFY_INFO.
type TPMSCertifyInfo struct {
	Name          TPM2BName
	QualifiedName TPM2BName
}

// TPMSQuoteInfo is TPMS_QUOTE_INFO.
type TPMSQuoteInfo struct {
	PCRSelect TPMLPCRSelection
	PCRDigest TPM2BDigest
}

// TPMSCommandAuditInfo is TPMS_COMMAND_AUDIT_INFO.
type TPMSCommandAuditInfo struct {
	AuditCounter  uint64
	DigestAlg     Alg
	AuditDigest   TPM2BDigest
	CommandDigest TPM2BDigest
}

// TPMSSessionAuditInfo is TPMS_SESSION_AUDIT_INFO.
type TPMSSessionAuditInfo struct {
	ExclusiveSession bool
	SessionDigest    TPM2BDigest
}

// TPMSCreationInfo is TPMS_CREATION_INFO.
type TPMSCreationInfo struct {
	ObjectName   TPM2BName
	CreationHash TPM2BDigest
}

// TPMSNVCertifyInfo is TPMS_NV_CERTIFY_INFO.
type TPMSNVCertifyInfo struct {
	IndexName  TPM2BName
	Offset     uint16 // bytes
	NVContents TPM2BMaxNVBuffer
}

// TPMSNVDigestCertifyInfo is TPMS_NV_DIGEST_CERTIFY_INFO.
type TPMSNVDigestCertifyInfo struct {
	IndexName TPM2BName
	NVDigest  TPM2BDigest
}

// TPMUAttest is TPMU_ATTEST: the member of the attestation's type is meant, the
// others are zero.
type TPMUAttest struct {
	Certify      TPMSCertifyInfo         // TPM_ST_ATTEST_CERTIFY
	Creation     TPMSCreationInfo        // TPM_ST_ATTEST_CREATION
	Quote        TPMSQuoteInfo           // TPM_ST_ATTEST_QUOTE
	CommandAudit TPMSCommandAuditInfo    // TPM_ST_ATTEST_COMMAND_AUDIT
	SessionAudit TPMSSessionAuditInfo    // TPM_ST_ATTEST_SESSION_AUDIT
	Time         TPMSTimeAttestInfo      // TPM_ST_ATTEST_TIME
	NV           TPMSNVCertifyInfo       // TPM_ST_ATTEST_NV
	NVDigest     TPMSNVDigestCertifyInfo // TPM_ST_ATTEST_NV_DIGEST
}

func (u *TPMUAttest) read(r *Reader, t ST) {
	*u = TPMUAttest{}
	switch t {
	case STAttestCertify:
		u.Certify.Name.Read(r)
		u.Certify.QualifiedName.Read(r)
	case STAttestCreation:
		u.Creation.ObjectName.Read(r)
		u.Creation.CreationHash.Read(r)
	case STAttestQuote:
		u.Quote.PCRSelect.Read(r)
		u.Quote.PCRDigest.Read(r)
	case STAttestCommandAudit:
		u.CommandAudit.AuditCounter = r.U64()
		u.CommandAudit.DigestAlg.Read(r)
		u.CommandAudit.AuditDigest.Read(r)
		u.CommandAudit.CommandDigest.Read(r)
	case STAttestSessionAudit:
		u.SessionAudit.ExclusiveSession = r.yesNo()
		u.SessionAudit.SessionDigest.Read(r)
	case STAttestTime:
		u.Time.Time.Read(r)
		u.Time.FirmwareVersion = r.U64()
	case STAttestNV:
		u.NV.IndexName.Read(r)
		u.NV.Offset = r.U16()
		u.NV.NVContents.Read(r)
	case STAttestNVDigest:
		u.NVDigest.IndexName.Read(r)
		u.NVDigest.NVDigest.Read(r)
	}
}

func (u TPMUAttest) write(w *Writer, t ST) {
	switch t {
	case STAttestCertify:
		u.Certify.Name.Write(w)
		u.Certify.QualifiedName.Write(w)
	case STAttestCreation:
		u.Creation.ObjectName.Write(w)
		u.Creation.CreationHash.Write(w)
	case STAttestQuote:
		u.Quote.PCRSelect.Write(w)
		u.Quote.PCRDigest.Write(w)
	case STAttestCommandAudit:
		w.U64(u.CommandAudit.AuditCounter)
		u.CommandAudit.DigestAlg.Write(w)
		u.CommandAudit.AuditDigest.Write(w)
		u.CommandAudit.CommandDigest.Write(w)
	case STAttestSessionAudit:
		w.yesNo(u.SessionAudit.ExclusiveSession)
		u.SessionAudit.SessionDigest.Write(w)
	case STAttestTime:
		u.Time.Time.Write(w)
		w.U64(u.Time.FirmwareVersion)
	case STAttestNV:
		u.NV.IndexName.Write(w)
		w.U16(u.NV.Offset)
		u.NV.NVContents.Write(w)
	case STAttestNVDigest:
		u.NVDigest.IndexName.Write(w)
		u.NVDigest.NVDigest.Write(w)
	}
}

// TPMSAttest is TPMS_ATTEST, what an attestation key signs. Magic is
// GeneratedValue.
type TPMSAttest struct {
	Magic           uint32
	Type            ST
	QualifiedSigner TPM2BName
	ExtraData       TPM2BData
	ClockInfo       TPMSClockInfo
	FirmwareVersion uint64
	Attested        TPMUAttest
}

// Read reads the structure; TPM_RC_VALUE for another magic, TPM_RC_SELECTOR for a
// type that is no attestation's.
func (a *TPMSAttest) Read(r *Reader) {
	if a.Magic = r.U32(); a.Magic != GeneratedValue {
		r.Fail(RCValue)
	}
	a.Type.Read(r)
	if (a.Type < STAttestNV || a.Type > STAttestCreation) && a.Type != STAttestNVDigest {
		r.Fail(RCSelector)
	}
	a.QualifiedSigner.Read(r)
	a.ExtraData.Read(r)
	a.ClockInfo.Read(r)
	a.FirmwareVersion = r.U64()
	a.Attested.read(r, a.Type)
}

// Write appends the structure.
func (a TPMSAttest) Write(w *Writer) {
	w.U32(a.Magic)
	a.Type.Write(w)
	a.QualifiedSigner.Write(w)
	a.ExtraData.Write(w)
	a.ClockInfo.Write(w)
	w.U64(a.FirmwareVersion)
	a.Attested.write(w, a.Type)
}
