package wire

// Value is a structure of Part 2. Read validates as the specification's
// unmarshaling tables say and records a failure in the Reader; Write appends the
// canonical form.
//
// Read is defined on the pointer, Write on the value.
type Value interface {
	Read(r *Reader)
	Write(w *Writer)
}

// Nullable is a Value for which the specification has a "+" form, where
// TPM_ALG_NULL or TPM_RH_NULL is allowed too.
type Nullable interface {
	Value
	ReadPlus(r *Reader)
}

// Marshal returns the canonical form of v.
func Marshal(v interface{ Write(*Writer) }) []byte {
	var w Writer
	v.Write(&w)
	return w.buf
}

// Unmarshal reads v from buf. Bytes left over are TPM_RC_SIZE.
func Unmarshal(buf []byte, v interface{ Read(*Reader) }, limits *Limits) error {
	r := NewReader(buf, limits)
	v.Read(r)
	if r.OK() && r.Len() != 0 {
		r.Fail(RCSize)
	}
	return r.Err()
}
