package wire

// NV Indices (Part 2, "NV Storage Structures").

// TPMSNVPublic is TPMS_NV_PUBLIC, the public area of an NV Index.
type TPMSNVPublic struct {
	NVIndex    Handle
	NameAlg    Alg
	Attributes TPMANV
	AuthPolicy TPM2BDigest
	DataSize   uint16 // bytes
}

// Read reads the public area; TPM_RC_SIZE for data over MaxNVIndexSize.
func (p *TPMSNVPublic) Read(r *Reader) {
	p.NVIndex = r.handle(isRHNVLegacyIndex)
	p.NameAlg = r.hashAlg(false)
	p.Attributes.Read(r)
	p.AuthPolicy.Read(r)
	p.DataSize = r.nvDataSize()
}

// Write appends the public area.
func (p TPMSNVPublic) Write(w *Writer) {
	p.NVIndex.Write(w)
	p.NameAlg.Write(w)
	p.Attributes.Write(w)
	p.AuthPolicy.Write(w)
	w.U16(p.DataSize)
}

func (r *Reader) nvDataSize() uint16 {
	n := r.U16()
	if n > MaxNVIndexSize {
		r.Fail(RCSize)
	}
	return n
}

// TPM2BNVPublic is TPM2B_NV_PUBLIC.
type TPM2BNVPublic struct {
	NVPublic TPMSNVPublic
}

// Read reads the public area; TPM_RC_SIZE for an empty one.
func (p *TPM2BNVPublic) Read(r *Reader) { r.structure(func() { p.NVPublic.Read(r) }) }

// Write appends the public area.
func (p TPM2BNVPublic) Write(w *Writer) { w.Inner(func() { p.NVPublic.Write(w) }) }

// TPMSNVPublicExpAttr is TPMS_NV_PUBLIC_EXP_ATTR, the public area of an external
// NV Index.
type TPMSNVPublicExpAttr struct {
	NVIndex    Handle
	NameAlg    Alg
	Attributes TPMANVExp
	AuthPolicy TPM2BDigest
	DataSize   uint16 // bytes
}

// Read reads the public area; TPM_RC_SIZE for data over MaxNVIndexSize.
func (p *TPMSNVPublicExpAttr) Read(r *Reader) {
	p.NVIndex = r.handle(isRHNVExpIndex)
	p.NameAlg = r.hashAlg(false)
	p.Attributes.Read(r)
	p.AuthPolicy.Read(r)
	p.DataSize = r.nvDataSize()
}

// Write appends the public area.
func (p TPMSNVPublicExpAttr) Write(w *Writer) {
	p.NVIndex.Write(w)
	p.NameAlg.Write(w)
	p.Attributes.Write(w)
	p.AuthPolicy.Write(w)
	w.U16(p.DataSize)
}

// TPMTNVPublic2 is TPMT_NV_PUBLIC_2. Which member is meant depends on HandleType;
// the others are zero.
type TPMTNVPublic2 struct {
	HandleType  HT
	NVIndex     TPMSNVPublic        // HTNVIndex
	ExternalNV  TPMSNVPublicExpAttr // HTExternalNV
	PermanentNV TPMSNVPublic        // HTPermanentNV
}

// Read reads the public area; TPM_RC_SELECTOR for a type that is no NV Index's.
func (p *TPMTNVPublic2) Read(r *Reader) {
	*p = TPMTNVPublic2{HandleType: HT(r.U8())}
	switch p.HandleType {
	case HTNVIndex:
		p.NVIndex.Read(r)
	case HTExternalNV:
		p.ExternalNV.Read(r)
	case HTPermanentNV:
		p.PermanentNV.Read(r)
	default:
		r.Fail(RCSelector)
	}
}

// Write appends the public area.
func (p TPMTNVPublic2) Write(w *Writer) {
	p.HandleType.Write(w)
	switch p.HandleType {
	case HTNVIndex:
		p.NVIndex.Write(w)
	case HTExternalNV:
		p.ExternalNV.Write(w)
	case HTPermanentNV:
		p.PermanentNV.Write(w)
	}
}

// TPM2BNVPublic2 is TPM2B_NV_PUBLIC_2.
type TPM2BNVPublic2 struct {
	NVPublic2 TPMTNVPublic2
}

// Read reads the public area; TPM_RC_SIZE for an empty one.
func (p *TPM2BNVPublic2) Read(r *Reader) { r.structure(func() { p.NVPublic2.Read(r) }) }

// Write appends the public area.
func (p TPM2BNVPublic2) Write(w *Writer) { w.Inner(func() { p.NVPublic2.Write(w) }) }

// TPMSNVPinCounterParameters is TPMS_NV_PIN_COUNTER_PARAMETERS, the data of a PIN
// Index.
type TPMSNVPinCounterParameters struct {
	PinCount uint32
	PinLimit uint32
}

// Read reads the two counts.
func (p *TPMSNVPinCounterParameters) Read(r *Reader) {
	p.PinCount = r.U32()
	p.PinLimit = r.U32()
}

// Write appends the two counts.
func (p TPMSNVPinCounterParameters) Write(w *Writer) {
	w.U32(p.PinCount)
	w.U32(p.PinLimit)
}
