package wire

// Lists (Part 2, "Lists"): a UINT32 count and as many elements. Reading one fails
// with TPM_RC_SIZE where the count is over the list's limit, before any element.

// Limits of the lists that TPM2_GetCapability returns, in elements: what fits in
// MaxCapBuffer after the capability and the count, where an element has the size
// that the reference implementation gives it in memory. Clients that ask again for
// the rest do not care; those that compare two TPMs do.
const (
	maxCapData = MaxCapBuffer - 4 - 4 // MAX_CAP_DATA, bytes

	MaxCapAlgs        = maxCapData / 8
	MaxCapHandles     = maxCapData / 4
	MaxCapCC          = maxCapData / 4
	MaxTPMProperties  = maxCapData / 8
	MaxPCRProperties  = maxCapData / 8
	MaxECCCurves      = maxCapData / 2
	MaxTaggedPolicies = maxCapData / 72
	MaxACTData        = maxCapData / 12
	MaxACCapabilities = maxCapData / 8
	MaxAlgList        = 64 // MAX_ALG_LIST_SIZE
	MaxDigestList     = 8  // digests in a TPML_DIGEST
)

// readList reads a list of least to most elements.
func readList[T any, P interface {
	*T
	Read(*Reader)
}](r *Reader, least, most int) []T {
	count := r.U32()
	if r.OK() && (count < uint32(least) || count > uint32(most)) {
		r.Fail(RCSize)
	}
	if !r.OK() {
		return nil
	}
	list := make([]T, count)
	for i := range list {
		P(&list[i]).Read(r)
	}
	if !r.OK() {
		return nil
	}
	return list
}

// writeList appends a list.
func writeList[T interface{ Write(*Writer) }](w *Writer, list []T) {
	w.U32(uint32(len(list)))
	for _, v := range list {
		v.Write(w)
	}
}

// TPMLDigest is TPML_DIGEST, digests.
type TPMLDigest []TPM2BDigest

// Read reads up to 8 digests. At least two are for TPM2_PolicyOR to demand (Part 2,
// "TPML_DIGEST"): what TPM2_PCR_Read returns may be shorter.
func (l *TPMLDigest) Read(r *Reader) { *l = readList[TPM2BDigest](r, 0, MaxDigestList) }

// Write appends the list.
func (l TPMLDigest) Write(w *Writer) { writeList(w, l) }

// TPMLCC is TPML_CC, command codes.
type TPMLCC []CC

// Read reads the list.
func (l *TPMLCC) Read(r *Reader) { *l = readList[CC](r, 0, MaxCapCC) }

// Write appends the list.
func (l TPMLCC) Write(w *Writer) { writeList(w, l) }

// TPMLCCA is TPML_CCA, commands' attributes.
type TPMLCCA []TPMACC

// Read reads the list.
func (l *TPMLCCA) Read(r *Reader) { *l = readList[TPMACC](r, 0, MaxCapCC) }

// Write appends the list.
func (l TPMLCCA) Write(w *Writer) { writeList(w, l) }

// TPMLAlg is TPML_ALG, algorithms.
type TPMLAlg []Alg

// Read reads the list.
func (l *TPMLAlg) Read(r *Reader) { *l = readList[Alg](r, 0, MaxAlgList) }

// Write appends the list.
func (l TPMLAlg) Write(w *Writer) { writeList(w, l) }

// TPMLHandle is TPML_HANDLE, handles.
type TPMLHandle []Handle

// Read reads the list.
func (l *TPMLHandle) Read(r *Reader) { *l = readList[Handle](r, 0, MaxCapHandles) }

// Write appends the list.
func (l TPMLHandle) Write(w *Writer) { writeList(w, l) }

// TPMLDigestValues is TPML_DIGEST_VALUES, digests, one for each bank at most.
type TPMLDigestValues []TPMTHA

// Read reads the list.
func (l *TPMLDigestValues) Read(r *Reader) { *l = readList[TPMTHA](r, 0, len(r.Limits.Hashes)) }

// Write appends the list.
func (l TPMLDigestValues) Write(w *Writer) { writeList(w, l) }

// TPMLPCRSelection is TPML_PCR_SELECTION, PCRs, one selection for each hash algorithm at most.
type TPMLPCRSelection []TPMSPCRSelection

// Read reads the list.
func (l *TPMLPCRSelection) Read(r *Reader) {
	*l = readList[TPMSPCRSelection](r, 0, len(r.Limits.Hashes))
}

// Write appends the list.
func (l TPMLPCRSelection) Write(w *Writer) { writeList(w, l) }

// TPMLAlgProperty is TPML_ALG_PROPERTY, algorithms' properties.
type TPMLAlgProperty []TPMSAlgProperty

// Read reads the list.
func (l *TPMLAlgProperty) Read(r *Reader) { *l = readList[TPMSAlgProperty](r, 0, MaxCapAlgs) }

// Write appends the list.
func (l TPMLAlgProperty) Write(w *Writer) { writeList(w, l) }

// TPMLTaggedTPMProperty is TPML_TAGGED_TPM_PROPERTY, the TPM's properties.
type TPMLTaggedTPMProperty []TPMSTaggedProperty

// Read reads the list.
func (l *TPMLTaggedTPMProperty) Read(r *Reader) {
	*l = readList[TPMSTaggedProperty](r, 0, MaxTPMProperties)
}

// Write appends the list.
func (l TPMLTaggedTPMProperty) Write(w *Writer) { writeList(w, l) }

// TPMLTaggedPCRProperty is TPML_TAGGED_PCR_PROPERTY, the PCRs' properties.
type TPMLTaggedPCRProperty []TPMSTaggedPCRSelect

// Read reads the list.
func (l *TPMLTaggedPCRProperty) Read(r *Reader) {
	*l = readList[TPMSTaggedPCRSelect](r, 0, MaxPCRProperties)
}

// Write appends the list.
func (l TPMLTaggedPCRProperty) Write(w *Writer) { writeList(w, l) }

// TPMLECCCurve is TPML_ECC_CURVE, curves.
type TPMLECCCurve []ECCCurve

// Read reads the list.
func (l *TPMLECCCurve) Read(r *Reader) { *l = readList[ECCCurve](r, 0, MaxECCCurves) }

// Write appends the list.
func (l TPMLECCCurve) Write(w *Writer) { writeList(w, l) }

// TPMLTaggedPolicy is TPML_TAGGED_POLICY, hierarchies' policies.
type TPMLTaggedPolicy []TPMSTaggedPolicy

// Read reads the list.
func (l *TPMLTaggedPolicy) Read(r *Reader) { *l = readList[TPMSTaggedPolicy](r, 0, MaxTaggedPolicies) }

// Write appends the list.
func (l TPMLTaggedPolicy) Write(w *Writer) { writeList(w, l) }

// TPMLACTData is TPML_ACT_DATA, the states of timers.
type TPMLACTData []TPMSACTData

// Read reads the list.
func (l *TPMLACTData) Read(r *Reader) { *l = readList[TPMSACTData](r, 0, MaxACTData) }

// Write appends the list.
func (l TPMLACTData) Write(w *Writer) { writeList(w, l) }

// TPMLACCapabilities is TPML_AC_CAPABILITIES, the properties of an attached component.
type TPMLACCapabilities []TPMSACOutput

// Read reads the list.
func (l *TPMLACCapabilities) Read(r *Reader) { *l = readList[TPMSACOutput](r, 0, MaxACCapabilities) }

// Write appends the list.
func (l TPMLACCapabilities) Write(w *Writer) { writeList(w, l) }
