package wire

// TPMSEmpty is TPMS_EMPTY, a structure of no bytes.
type TPMSEmpty struct{}

// Read reads nothing.
func (*TPMSEmpty) Read(*Reader) {}

// Write appends nothing.
func (TPMSEmpty) Write(*Writer) {}

// TPMSPCRSelection is TPMS_PCR_SELECTION, PCRs of a bank: PCR n is bit n mod 8 of
// byte n/8.
type TPMSPCRSelection struct {
	Hash      Alg
	PCRSelect []byte
}

// Has reports whether PCR n is selected.
func (s TPMSPCRSelection) Has(n int) bool {
	return n >= 0 && n/8 < len(s.PCRSelect) && s.PCRSelect[n/8]>>(n%8)&1 == 1
}

// Read reads a selection of an implemented bank; TPM_RC_VALUE where it is not as
// many bytes as the TPM has PCRs for.
func (s *TPMSPCRSelection) Read(r *Reader) {
	s.Hash = r.hashAlg(false)
	s.PCRSelect = r.pcrSelect()
}

// Write appends the selection.
func (s TPMSPCRSelection) Write(w *Writer) {
	s.Hash.Write(w)
	w.pcrSelect(s.PCRSelect)
}

// pcrSelect reads a size in a byte and a PCR select. On the PC Client platform
// the least and the most that it may have are the same: all PCRs are mandatory.
func (r *Reader) pcrSelect() []byte {
	n := int(r.U8())
	if n != r.Limits.PCRSelect {
		r.Fail(RCValue)
	}
	return r.Bytes(n)
}

func (w *Writer) pcrSelect(b []byte) {
	w.U8(uint8(len(b)))
	w.Bytes(b)
}

// TPMSAlgProperty is TPMS_ALG_PROPERTY.
type TPMSAlgProperty struct {
	Alg           Alg
	AlgProperties TPMAAlgorithm
}

// Read reads the structure.
func (p *TPMSAlgProperty) Read(r *Reader) {
	p.Alg.Read(r)
	p.AlgProperties.Read(r)
}

// Write appends the structure.
func (p TPMSAlgProperty) Write(w *Writer) {
	p.Alg.Write(w)
	p.AlgProperties.Write(w)
}

// TPMSTaggedProperty is TPMS_TAGGED_PROPERTY.
type TPMSTaggedProperty struct {
	Property PT
	Value    uint32
}

// Read reads the structure.
func (p *TPMSTaggedProperty) Read(r *Reader) {
	p.Property.Read(r)
	p.Value = r.U32()
}

// Write appends the structure.
func (p TPMSTaggedProperty) Write(w *Writer) {
	p.Property.Write(w)
	w.U32(p.Value)
}

// TPMSTaggedPCRSelect is TPMS_TAGGED_PCR_SELECT, the PCRs with a property.
type TPMSTaggedPCRSelect struct {
	Tag       PTPCR
	PCRSelect []byte
}

// Read reads the structure.
func (s *TPMSTaggedPCRSelect) Read(r *Reader) {
	s.Tag.Read(r)
	s.PCRSelect = r.pcrSelect()
}

// Write appends the structure.
func (s TPMSTaggedPCRSelect) Write(w *Writer) {
	s.Tag.Write(w)
	w.pcrSelect(s.PCRSelect)
}

// TPMSTaggedPolicy is TPMS_TAGGED_POLICY, a hierarchy's policy.
type TPMSTaggedPolicy struct {
	Handle     Handle
	PolicyHash TPMTHA
}

// Read reads the structure. A hierarchy without a policy has TPM_ALG_NULL.
func (p *TPMSTaggedPolicy) Read(r *Reader) {
	p.Handle.Read(r)
	p.PolicyHash.ReadPlus(r)
}

// Write appends the structure.
func (p TPMSTaggedPolicy) Write(w *Writer) {
	p.Handle.Write(w)
	p.PolicyHash.Write(w)
}

// TPMSACTData is TPMS_ACT_DATA, the state of an authenticated countdown timer.
type TPMSACTData struct {
	Handle     Handle
	Timeout    uint32 // seconds
	Attributes TPMAACT
}

// Read reads the structure.
func (d *TPMSACTData) Read(r *Reader) {
	d.Handle.Read(r)
	d.Timeout = r.U32()
	d.Attributes.Read(r)
}

// Write appends the structure.
func (d TPMSACTData) Write(w *Writer) {
	d.Handle.Write(w)
	w.U32(d.Timeout)
	d.Attributes.Write(w)
}

// TPMSACOutput is TPMS_AC_OUTPUT.
type TPMSACOutput struct {
	Tag  AT
	Data uint32
}

// Read reads the structure.
func (o *TPMSACOutput) Read(r *Reader) {
	o.Tag.Read(r)
	o.Data = r.U32()
}

// Write appends the structure.
func (o TPMSACOutput) Write(w *Writer) {
	o.Tag.Write(w)
	w.U32(o.Data)
}

// TPMSAlgorithmDetailECC is TPMS_ALGORITHM_DETAIL_ECC, a curve's parameters.
type TPMSAlgorithmDetailECC struct {
	CurveID            ECCCurve
	KeySize            uint16 // bits
	KDF                TPMTKDFScheme
	Sign               TPMTECCScheme
	P, A, B, GX, GY, N TPM2BECCParameter
	H                  TPM2BECCParameter
}

// Read reads the structure.
func (d *TPMSAlgorithmDetailECC) Read(r *Reader) {
	d.CurveID = r.curve(false)
	d.KeySize = r.U16()
	d.KDF.ReadPlus(r)
	d.Sign.ReadPlus(r)
	for _, v := range []*TPM2BECCParameter{&d.P, &d.A, &d.B, &d.GX, &d.GY, &d.N, &d.H} {
		v.Read(r)
	}
}

// Write appends the structure.
func (d TPMSAlgorithmDetailECC) Write(w *Writer) {
	d.CurveID.Write(w)
	w.U16(d.KeySize)
	d.KDF.Write(w)
	d.Sign.Write(w)
	for _, v := range []TPM2BECCParameter{d.P, d.A, d.B, d.GX, d.GY, d.N, d.H} {
		v.Write(w)
	}
}

// TPMSIDObject is TPMS_ID_OBJECT, what is inside a TPM2B_ID_OBJECT.
type TPMSIDObject struct {
	IntegrityHMAC TPM2BDigest
	EncIdentity   TPM2BDigest
}

// Read reads the structure.
func (o *TPMSIDObject) Read(r *Reader) {
	o.IntegrityHMAC.Read(r)
	o.EncIdentity.Read(r)
}

// Write appends the structure.
func (o TPMSIDObject) Write(w *Writer) {
	o.IntegrityHMAC.Write(w)
	o.EncIdentity.Write(w)
}

// TPMSContextData is TPMS_CONTEXT_DATA, what is inside a TPM2B_CONTEXT_DATA.
type TPMSContextData struct {
	Integrity TPM2BDigest
	Encrypted TPM2BContextSensitive
}

// Read reads the structure.
func (d *TPMSContextData) Read(r *Reader) {
	d.Integrity.Read(r)
	d.Encrypted.Read(r)
}

// Write appends the structure.
func (d TPMSContextData) Write(w *Writer) {
	d.Integrity.Write(w)
	d.Encrypted.Write(w)
}

// TPMSContext is TPMS_CONTEXT, a saved context.
type TPMSContext struct {
	Sequence    uint64
	SavedHandle Handle
	Hierarchy   Handle
	ContextBlob TPM2BContextData
}

// Read reads the structure.
func (c *TPMSContext) Read(r *Reader) {
	c.Sequence = r.U64()
	c.SavedHandle = r.handle(isDHSaved)
	c.Hierarchy = r.handle(isHierarchy)
	c.ContextBlob.Read(r)
}

// Write appends the structure.
func (c TPMSContext) Write(w *Writer) {
	w.U64(c.Sequence)
	c.SavedHandle.Write(w)
	c.Hierarchy.Write(w)
	c.ContextBlob.Write(w)
}

// TPMSCreationData is TPMS_CREATION_DATA, the circumstances in which an object
// was made.
type TPMSCreationData struct {
	PCRSelect           TPMLPCRSelection
	PCRDigest           TPM2BDigest
	Locality            TPMALocality
	ParentNameAlg       Alg
	ParentName          TPM2BName
	ParentQualifiedName TPM2BName
	OutsideInfo         TPM2BData
}

// Read reads the structure.
func (d *TPMSCreationData) Read(r *Reader) {
	d.PCRSelect.Read(r)
	d.PCRDigest.Read(r)
	d.Locality.Read(r)
	d.ParentNameAlg.Read(r)
	d.ParentName.Read(r)
	d.ParentQualifiedName.Read(r)
	d.OutsideInfo.Read(r)
}

// Write appends the structure.
func (d TPMSCreationData) Write(w *Writer) {
	d.PCRSelect.Write(w)
	d.PCRDigest.Write(w)
	d.Locality.Write(w)
	d.ParentNameAlg.Write(w)
	d.ParentName.Write(w)
	d.ParentQualifiedName.Write(w)
	d.OutsideInfo.Write(w)
}

// TPM2BCreationData is TPM2B_CREATION_DATA.
type TPM2BCreationData struct {
	CreationData TPMSCreationData
}

// Read reads the structure; TPM_RC_SIZE for an empty one.
func (d *TPM2BCreationData) Read(r *Reader) { r.structure(func() { d.CreationData.Read(r) }) }

// Write appends the structure.
func (d TPM2BCreationData) Write(w *Writer) { w.Inner(func() { d.CreationData.Write(w) }) }

// TPMSSetCapabilityData is TPMS_SET_CAPABILITY_DATA. No capability can be set, so
// that reading one always fails.
type TPMSSetCapabilityData struct {
	SetCapability Cap
}

// Read fails: TPM_RC_VALUE for no capability, TPM_RC_SELECTOR for one.
func (d *TPMSSetCapabilityData) Read(r *Reader) {
	d.SetCapability.Read(r)
	r.Fail(RCSelector)
}

// Write appends the capability.
func (d TPMSSetCapabilityData) Write(w *Writer) { d.SetCapability.Write(w) }

// TPM2BSetCapabilityData is TPM2B_SET_CAPABILITY_DATA.
type TPM2BSetCapabilityData struct {
	SetCapabilityData TPMSSetCapabilityData
}

// Read fails as TPMSSetCapabilityData does; TPM_RC_SIZE for an empty structure.
func (d *TPM2BSetCapabilityData) Read(r *Reader) {
	r.structure(func() { d.SetCapabilityData.Read(r) })
}

// Write appends the structure.
func (d TPM2BSetCapabilityData) Write(w *Writer) {
	w.Inner(func() { d.SetCapabilityData.Write(w) })
}
