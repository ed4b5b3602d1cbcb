package wire

// Sensitive areas (Part 2, "Private Area Structures").

// TPMTSensitive is TPMT_SENSITIVE, the sensitive area of an object. Whoever holds
// one clears it.
type TPMTSensitive struct {
	SensitiveType Alg
	AuthValue     TPM2BAuth
	SeedValue     TPM2BDigest
	Sensitive     []byte // TPMU_SENSITIVE_COMPOSITE: a prime, a scalar, data or a key, by type
}

// Read reads a sensitive area; TPM_RC_SIZE where the secret is over its type's
// limit.
func (s *TPMTSensitive) Read(r *Reader) {
	s.SensitiveType = r.public()
	s.AuthValue.Read(r)
	s.SeedValue.Read(r)
	limit := 0
	switch s.SensitiveType {
	case AlgRSA:
		limit = r.Limits.rsaPrivateBytes()
	case AlgECC:
		limit = r.Limits.eccBytes()
	case AlgKeyedHash:
		limit = MaxSensitiveData
	case AlgSymCipher:
		limit = MaxSymKey
	default:
		r.Fail(RCSelector)
	}
	s.Sensitive = r.Sized(limit)
}

// Write appends the sensitive area.
func (s TPMTSensitive) Write(w *Writer) {
	w.U16(uint16(s.SensitiveType))
	s.AuthValue.Write(w)
	s.SeedValue.Write(w)
	w.Sized(s.Sensitive)
}

// TPM2BSensitive is TPM2B_SENSITIVE. An empty one, of size zero, has the zero
// value: it is how TPM2_LoadExternal is told of a public area alone.
type TPM2BSensitive struct {
	SensitiveArea TPMTSensitive
}

// Empty reports whether there is no sensitive area.
func (s TPM2BSensitive) Empty() bool { return s.SensitiveArea.SensitiveType == AlgError }

// Read reads a sensitive area or an empty one.
func (s *TPM2BSensitive) Read(r *Reader) {
	*s = TPM2BSensitive{}
	r.Inner(func() { s.SensitiveArea.Read(r) })
}

// Write appends the sensitive area, or the size zero for an empty one.
func (s TPM2BSensitive) Write(w *Writer) {
	w.Inner(func() {
		if !s.Empty() {
			s.SensitiveArea.Write(w)
		}
	})
}

// TPMSSensitiveCreate is TPMS_SENSITIVE_CREATE, what the creator of an object
// says about its sensitive area.
type TPMSSensitiveCreate struct {
	UserAuth TPM2BAuth
	Data     TPM2BSensitiveData
}

// Read reads the two.
func (s *TPMSSensitiveCreate) Read(r *Reader) {
	s.UserAuth.Read(r)
	s.Data.Read(r)
}

// Write appends the two.
func (s TPMSSensitiveCreate) Write(w *Writer) {
	s.UserAuth.Write(w)
	s.Data.Write(w)
}

// TPM2BSensitiveCreate is TPM2B_SENSITIVE_CREATE.
type TPM2BSensitiveCreate struct {
	Sensitive TPMSSensitiveCreate
}

// Read reads the structure; TPM_RC_SIZE for an empty one.
func (s *TPM2BSensitiveCreate) Read(r *Reader) { r.structure(func() { s.Sensitive.Read(r) }) }

// Write appends the structure.
func (s TPM2BSensitiveCreate) Write(w *Writer) { w.Inner(func() { s.Sensitive.Write(w) }) }
